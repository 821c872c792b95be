#include "ServiceTable.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "Maglev.h"
#include "config.h"

namespace k8slbrp {
namespace {

abi::service_key key_of(const ServiceId &id) { return {id.vip, htons(id.port), id.protocol, 0}; }

abi::backend_key key_of(const ServiceId &id, const std::pair<uint32_t, uint16_t> &endpoint) {
  return {key_of(id), endpoint.first, htons(endpoint.second), 0};
}

// The port that packets to the backend carry: none in ICMP, whatever the backend's configuration says.
uint16_t port_of(const ServiceId &id, const Backend &backend) {
  return id.protocol == IPPROTO_ICMP ? 0 : backend.port;
}

}  // namespace

// Backends that take new sessions, with the weights divided by what they have in common.
struct Usable {
  std::vector<abi::slot> endpoints;
  std::vector<uint32_t> weights;

  Usable(const ServiceId &id, const std::map<uint32_t, Backend> &backends) {
    uint32_t divisor = 0;
    for (const auto &[ip, backend] : backends) {
      if (backend.weight == 0) continue;
      endpoints.push_back({ip, htons(port_of(id, backend))});
      weights.push_back(backend.weight);
      divisor = std::gcd(divisor, uint32_t{backend.weight});
    }
    for (auto &weight : weights) weight /= divisor;
  }

  uint64_t total_weight() const { return std::accumulate(weights.begin(), weights.end(), uint64_t{0}); }

  std::vector<Candidate> candidates() const {
    std::vector<Candidate> all;
    for (std::size_t i = 0; i < endpoints.size(); ++i)
      all.push_back({uint64_t{ntohl(endpoints[i].ip)} << 16 | ntohs(endpoints[i].port), weights[i]});
    return all;
  }
};

namespace {

// A table stays, and as large as it is, when backends leave: anything else would move most choices of the
// backends that are left. With no more than one backend that does not matter.
uint32_t slots_for(const Usable &usable, uint32_t current) {
  if (usable.endpoints.size() <= 1) return 0;
  if (current == 0 && usable.total_weight() <= MAX_CANDIDATES) return 0;
  return std::max(table_size(usable.candidates()), current);
}

// The candidates of a service without slots: a backend stands there as often as its weight says. Those that
// are left over repeat the first, which changes nothing.
void set_candidates(abi::service &entry, const Usable &usable) {
  if (usable.endpoints.empty()) return;
  for (std::size_t i = 0; i < usable.endpoints.size(); ++i)
    for (uint32_t replica = 0; replica < usable.weights[i]; ++replica)
      entry.candidates[entry.count++] = {usable.endpoints[i].ip, usable.endpoints[i].port,
                                         static_cast<uint16_t>(replica)};
  for (uint32_t i = entry.count; i < MAX_CANDIDATES; ++i) entry.candidates[i] = entry.candidates[0];
}

// Removes an entry that may be gone already, which is as good.
template <class Table, class Key>
void discard(Table &table, const Key &key) {
  try {
    table.remove(key);
  } catch (const std::runtime_error &) {
  }
}

// Makes sessions without handshake look for their backends again.
void announce_removal(ServiceMaps &maps) { maps.removals.set(0, maps.removals.get(0) + 1); }

// The typed tables offer no way to step through the keys alone.
template <class Key, class Table>
std::vector<Key> keys_of(Table &table) {
  std::vector<Key> keys;
  for (const auto &entry : table.get_all()) keys.push_back(entry.first);
  return keys;
}

}  // namespace

ServiceTable::ServiceTable(ServiceMaps maps) {
  for (const auto chunk : keys_of<uint32_t>(maps.slots)) segments_.emplace(chunk, 1);
}

void ServiceTable::check_room(const ServiceId &id, const Usable &usable, const Entry &wanted,
                              const Entry &old) const {
  if (usable.endpoints.size() > kLargestTable)
    throw bad_value("backend: a service has at most " + std::to_string(kLargestTable) +
                    " backends with a weight above 0");
  if (!entries_.count(id) && entries_.size() >= MAX_SERVICES)
    throw bad_value("service: the cube is full, it holds at most " + std::to_string(MAX_SERVICES) +
                    " services");
  // The old slots stay until the new ones are in use.
  if (chunks_used_ + wanted.segment.chunks() > MAX_CHUNKS)
    throw bad_value("backend: the cube is full, all " + std::to_string(MAX_CHUNKS * SLOTS_PER_CHUNK) +
                    " slots are in use");
  if (endpoints_used_ - old.endpoints.size() + wanted.endpoints.size() > MAX_BACKENDS)
    throw bad_value("backend: the cube is full, it holds at most " + std::to_string(MAX_BACKENDS) +
                    " backends");
}

// Numbers come from a counter, so that a packet still holding an old one finds nothing rather than somebody
// else's slots.
uint32_t ServiceTable::unused_chunks(uint32_t count) {
  while (true) {
    if (next_chunk_ > UINT32_MAX - count) next_chunk_ = 1;
    auto after = segments_.lower_bound(next_chunk_);
    if (after != segments_.begin()) {
      const auto before = std::prev(after);
      next_chunk_ = std::max(next_chunk_, before->first + before->second);
    }
    if (after == segments_.end() || after->first >= next_chunk_ + count) break;
    next_chunk_ = after->first + after->second;
  }
  const uint32_t first = next_chunk_;
  next_chunk_ += count;
  return first;
}

// Writes what new sessions choose from, and returns the service's entry, which is to lead there.
abi::service ServiceTable::write_segment(ServiceMaps &maps, Segment &segment, const Usable &usable) {
  abi::service entry{};
  entry.version = entry.version_again = ++version_;
  if (segment.slots == 0) {
    set_candidates(entry, usable);
    return entry;
  }
  const auto owners = assign_slots(usable.candidates(), segment.slots);
  segment.first_chunk = unused_chunks(segment.chunks());
  segments_.emplace(segment.first_chunk, segment.chunks());
  chunks_used_ += segment.chunks();
  try {
    for (uint32_t c = 0; c < segment.chunks(); ++c) {
      abi::chunk chunk{};
      chunk.segment = segment.first_chunk;
      const uint32_t first = c * SLOTS_PER_CHUNK;
      for (uint32_t s = first; s < std::min(first + SLOTS_PER_CHUNK, segment.slots); ++s)
        chunk.slots[s - first] = usable.endpoints[owners[s]];
      maps.slots.set(segment.first_chunk + c, chunk);
    }
  } catch (...) {
    erase_segment(maps, segment);
    throw;
  }
  entry.count = segment.slots;
  entry.first_chunk = segment.first_chunk;
  return entry;
}

void ServiceTable::erase_segment(ServiceMaps &maps, const Segment &segment) {
  if (segment.slots == 0) return;
  for (uint32_t c = 0; c < segment.chunks(); ++c) discard(maps.slots, segment.first_chunk + c);
  segments_.erase(segment.first_chunk);
  chunks_used_ -= segment.chunks();
}

void ServiceTable::add_endpoints(ServiceMaps &maps, const ServiceId &id, const Endpoints &wanted,
                                 const Endpoints &old) {
  Endpoints added;
  try {
    for (const auto &endpoint : wanted) {
      if (old.count(endpoint)) continue;
      maps.backends.set(key_of(id, endpoint), 1);
      added.insert(endpoint);
      ++endpoints_used_;
    }
  } catch (...) {
    erase_endpoints(maps, id, added, {});
    throw;
  }
}

void ServiceTable::erase_endpoints(ServiceMaps &maps, const ServiceId &id, const Endpoints &old,
                                   const Endpoints &kept) {
  bool any = false;
  for (const auto &endpoint : old) {
    if (kept.count(endpoint)) continue;
    discard(maps.backends, key_of(id, endpoint));
    --endpoints_used_;
    any = true;
  }
  if (any) announce_removal(maps);
}

void ServiceTable::put(ServiceMaps &maps, const ServiceId &id, const std::map<uint32_t, Backend> &backends) {
  const auto found = entries_.find(id);
  const Entry old = found == entries_.end() ? Entry{} : found->second;
  Entry wanted;
  for (const auto &[ip, backend] : backends) wanted.endpoints.emplace(ip, port_of(id, backend));
  const Usable usable(id, backends);
  wanted.segment.slots = slots_for(usable, old.segment.slots);
  check_room(id, usable, wanted, old);

  const auto service = write_segment(maps, wanted.segment, usable);
  try {
    add_endpoints(maps, id, wanted.endpoints, old.endpoints);
    try {
      maps.vips.set(id.vip, 1);
      maps.services.set(key_of(id), service);
    } catch (...) {
      erase_endpoints(maps, id, wanted.endpoints, old.endpoints);
      if (!services_of_vip_.count(id.vip)) discard(maps.vips, id.vip);
      throw;
    }
  } catch (...) {
    erase_segment(maps, wanted.segment);
    throw;
  }
  erase_endpoints(maps, id, old.endpoints, wanted.endpoints);
  erase_segment(maps, old.segment);
  if (found == entries_.end()) ++services_of_vip_[id.vip];
  entries_[id] = std::move(wanted);
}

void ServiceTable::remove(ServiceMaps &maps, const ServiceId &id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  discard(maps.services, key_of(id));
  erase_endpoints(maps, id, found->second.endpoints, {});
  erase_segment(maps, found->second.segment);
  if (--services_of_vip_[id.vip] == 0) {
    services_of_vip_.erase(id.vip);
    discard(maps.vips, id.vip);
  }
  entries_.erase(found);
}

void ServiceTable::drop_leftovers(ServiceMaps &maps) {
  for (const auto &key : keys_of<abi::service_key>(maps.services))
    if (!entries_.count({key.vip, ntohs(key.vport), key.proto})) discard(maps.services, key);
  for (const auto vip : keys_of<uint32_t>(maps.vips))
    if (!services_of_vip_.count(vip)) discard(maps.vips, vip);
  for (const auto &key : keys_of<abi::backend_key>(maps.backends)) {
    const auto entry = entries_.find({key.service.vip, ntohs(key.service.vport), key.service.proto});
    if (entry == entries_.end() || !entry->second.endpoints.count({key.ip, ntohs(key.port)}))
      discard(maps.backends, key);
  }
  announce_removal(maps);
  std::set<uint32_t> claimed;
  segments_.clear();
  for (const auto &[id, entry] : entries_) {
    const Segment &segment = entry.segment;
    if (segment.slots == 0) continue;
    segments_.emplace(segment.first_chunk, segment.chunks());
    for (uint32_t c = 0; c < segment.chunks(); ++c) claimed.insert(segment.first_chunk + c);
  }
  for (const auto chunk : keys_of<uint32_t>(maps.slots))
    if (!claimed.count(chunk)) discard(maps.slots, chunk);
}

}  // namespace k8slbrp
