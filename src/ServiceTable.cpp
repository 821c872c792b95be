#include "ServiceTable.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "Maglev.h"
#include "errors.h"

namespace k8slbrp {
namespace {

abi::service_key key_of(const ServiceId &id) { return {id.vip, htons(id.port), id.protocol, 0}; }

// The mark that an address is a VIP, whatever the ports of its services.
abi::service_key vip_mark(uint32_t vip) { return {vip, 0, 0, 0}; }

abi::backend_key key_of(const ServiceId &id, const std::pair<uint32_t, uint16_t> &endpoint) {
  return {key_of(id), endpoint.first, htons(endpoint.second), 0};
}

// The port that packets to the backend carry: none in ICMP, whatever the backend's configuration says.
uint16_t port_of(const ServiceId &id, const Backend &backend) {
  return id.protocol == IPPROTO_ICMP ? 0 : backend.port;
}

std::vector<Candidate> candidates_of(const ServiceId &id, const std::map<uint32_t, Backend> &backends) {
  std::vector<Candidate> candidates;
  for (const auto &[ip, backend] : backends)
    if (backend.weight > 0)
      candidates.push_back({uint64_t{ntohl(ip)} << 16 | port_of(id, backend), backend.weight});
  return candidates;
}

// A table that has become too large stays as it is, because another size would move most slots of the
// backends that are left; with no more than one backend that does not matter.
uint32_t slots_for(const std::vector<Candidate> &candidates, uint32_t current) {
  const uint32_t needed = table_size(candidates);
  return needed <= 1 ? needed : std::max(needed, current);
}

// Removes an entry that may be gone already, which is as good.
template <class Table, class Key>
void discard(Table &table, const Key &key) {
  try {
    table.remove(key);
  } catch (const std::runtime_error &) {
  }
}

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

void ServiceTable::check_room(const ServiceId &id, const Entry &wanted, const Entry &old) const {
  const bool known = entries_.count(id) != 0;
  const std::size_t services =
      entries_.size() + services_of_vip_.size() + (known ? 0 : 1) + (services_of_vip_.count(id.vip) ? 0 : 1);
  if (services > MAX_SERVICES)
    throw bad_value("service: the cube is full, it holds at most " + std::to_string(MAX_SERVICES) +
                    " services and virtual addresses");
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

void ServiceTable::write_segment(ServiceMaps &maps, Segment &segment, const ServiceId &id,
                                 const std::map<uint32_t, Backend> &backends) {
  if (segment.slots == 0) return;
  std::vector<abi::slot> endpoints;
  for (const auto &[ip, backend] : backends)
    if (backend.weight > 0) endpoints.push_back({ip, htons(port_of(id, backend))});
  const auto owners = assign_slots(candidates_of(id, backends), segment.slots);

  segment.first_chunk = unused_chunks(segment.chunks());
  segments_.emplace(segment.first_chunk, segment.chunks());
  chunks_used_ += segment.chunks();
  try {
    for (uint32_t c = 0; c < segment.chunks(); ++c) {
      abi::chunk chunk{};
      chunk.segment = segment.first_chunk;
      const uint32_t first = c * SLOTS_PER_CHUNK;
      for (uint32_t s = first; s < std::min(first + SLOTS_PER_CHUNK, segment.slots); ++s) {
        chunk.slots[s - first] = endpoints[owners[s]];
      }
      maps.slots.set(segment.first_chunk + c, chunk);
    }
  } catch (...) {
    erase_segment(maps, segment);
    throw;
  }
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
  for (const auto &endpoint : old) {
    if (kept.count(endpoint)) continue;
    discard(maps.backends, key_of(id, endpoint));
    --endpoints_used_;
  }
  maps.removals.set(0, maps.removals.get(0) + 1);
}

void ServiceTable::put(ServiceMaps &maps, const ServiceId &id, const std::map<uint32_t, Backend> &backends) {
  const auto found = entries_.find(id);
  const Entry old = found == entries_.end() ? Entry{} : found->second;
  Entry wanted;
  for (const auto &[ip, backend] : backends) wanted.endpoints.emplace(ip, port_of(id, backend));
  wanted.segment.slots = slots_for(candidates_of(id, backends), old.segment.slots);
  check_room(id, wanted, old);

  write_segment(maps, wanted.segment, id, backends);
  try {
    add_endpoints(maps, id, wanted.endpoints, old.endpoints);
    try {
      maps.services.set(vip_mark(id.vip), abi::service{});
      maps.services.set(key_of(id), {wanted.segment.first_chunk, wanted.segment.slots});
    } catch (...) {
      erase_endpoints(maps, id, wanted.endpoints, old.endpoints);
      if (!services_of_vip_.count(id.vip)) discard(maps.services, vip_mark(id.vip));
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
    discard(maps.services, vip_mark(id.vip));
  }
  entries_.erase(found);
}

void ServiceTable::drop_leftovers(ServiceMaps &maps) {
  for (const auto &key : keys_of<abi::service_key>(maps.services)) {
    const bool claimed = key.proto == 0 ? services_of_vip_.count(key.vip) != 0
                                        : entries_.count({key.vip, ntohs(key.vport), key.proto}) != 0;
    if (!claimed) discard(maps.services, key);
  }
  for (const auto &key : keys_of<abi::backend_key>(maps.backends)) {
    const auto entry = entries_.find({key.service.vip, ntohs(key.service.vport), key.service.proto});
    if (entry == entries_.end() || !entry->second.endpoints.count({key.ip, ntohs(key.port)}))
      discard(maps.backends, key);
  }
  maps.removals.set(0, maps.removals.get(0) + 1);
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
