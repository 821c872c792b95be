#include "ServiceTable.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include "config.h"

namespace k8slbrp {
namespace {

// The others are left free, so that any service can be replaced while both its old and its new ones are
// there.
constexpr uint32_t kMaxChunks = MAX_CHUNKS - kMaxChunksOfService;
constexpr std::size_t kMaxSourceRanges = MAX_SOURCE_RANGES - kMaxRangesOfService;

// Makes sessions without handshake look for their backends again.
void announce_removal(ServiceMaps &maps) { maps.removals.set(0, maps.removals.get(0) + 1); }

}  // namespace

ServiceTable::ServiceTable(polycube::service::BaseCube &cube, TrafficTable &traffic)
    : cube_(cube), traffic_(traffic), version_(std::random_device{}()) {}

// --- room ---

void ServiceTable::check_total(std::size_t services, uint64_t chunks, std::size_t ranges) {
  if (services > MAX_SERVICES)
    throw bad_value("service: the cube is full, it holds at most " + std::to_string(MAX_SERVICES) +
                    " services");
  if (chunks > kMaxChunks)
    throw bad_value("backend: the cube is full, it holds at most " + std::to_string(kMaxChunks) +
                    " chunks of slots and backends");
  if (ranges > kMaxSourceRanges)
    throw bad_value("source-range: the cube is full, it holds at most " + std::to_string(kMaxSourceRanges) +
                    " source ranges");
}

void ServiceTable::check(const Wishes &wishes) {
  uint64_t chunks = 0;
  std::size_t ranges = 0;
  for (const auto &wish : wishes) {
    chunks += chunks_for(wish.id, *wish.service);
    ranges += wish.service->sources.size();
  }
  check_total(wishes.size(), chunks, ranges);
}

void ServiceTable::check_room(const Wishes &wishes, const std::vector<Layout> &layouts) const {
  std::size_t services = heads_.size();
  uint64_t chunks = chunks_used_, added = 0;
  std::size_t ranges = sources_.total(), new_ranges = 0;
  for (const auto &wish : wishes) {
    const auto old = heads_.find(wish.id);
    if (old != heads_.end()) {
      --services;
      chunks -= chunks_of(old->second);
    }
    ranges -= sources_.count(wish.id);
    if (!wish.service) continue;
    ++services;
    ranges += wish.service->sources.size();
    if (!sources_.has(wish.id, wish.service->sources)) new_ranges += wish.service->sources.size();
  }
  for (const auto &layout : layouts) added += layout.chunks.size();
  // Old ranges stay until the new ones are in use, and so do old chunks.
  const bool ranges_fit = sources_.total() + new_ranges <= MAX_SOURCE_RANGES;
  check_total(services, chunks + added, ranges_fit ? ranges : sources_.total() + new_ranges);
  if (chunks_used_ + added > MAX_CHUNKS)
    throw bad_value("backend: too many changes at a time, the cube has room for " +
                    std::to_string(MAX_CHUNKS - chunks_used_) +
                    " more chunks of slots and backends, but these " + "need " + std::to_string(added) +
                    " before the old ones are free");
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

// --- single steps ---

// Calls what may fail but has no way back; says in the log if it has failed. The next change tries again.
template <class Call>
bool ServiceTable::attempt(const char *what, Call call) noexcept {
  try {
    call();
    return true;
  } catch (const std::exception &failure) {
    leftovers_ = true;
    cube_.logger()->error("cannot {}: {}", what, failure.what());
    return false;
  }
}

void ServiceTable::write_chunks(ServiceMaps &maps, const Layout &layout) {
  if (layout.chunks.empty()) return;
  const auto count = static_cast<uint32_t>(layout.chunks.size());
  segments_.emplace(layout.entry.head.first_chunk, count);
  chunks_used_ += count;
  for (uint32_t i = 0; i < count; ++i) maps.chunks.set(layout.entry.head.first_chunk + i, layout.chunks[i]);
}

// Chunks that cannot be removed stay accounted for.
void ServiceTable::free_chunks(ServiceMaps &maps, uint32_t first) noexcept {
  const auto segment = segments_.find(first);
  if (first == 0 || segment == segments_.end()) return;
  bool removed = true;
  for (uint32_t i = 0; i < segment->second; ++i)
    removed &= attempt("remove a chunk", [&] { maps.chunks.remove(first + i); });
  if (!removed) return;
  chunks_used_ -= segment->second;
  segments_.erase(segment);
}

void ServiceTable::release_vip(ServiceMaps &maps, uint32_t vip) noexcept {
  const auto found = services_of_vip_.find(vip);
  if (found == services_of_vip_.end() || found->second > 0) return;
  if (attempt("remove a VIP", [&] { maps.vips.remove(vip); })) services_of_vip_.erase(found);
}

// What is in the maps though nothing leads to it.
void ServiceTable::collect(ServiceMaps &maps) {
  leftovers_ = false;
  while (!lost_.empty()) {  // first of all: what is in force instead leads to chunks that nothing else does
    put_back(maps, *lost_.begin());
    lost_.erase(lost_.begin());
  }
  std::set<uint32_t> used, unused;
  for (const auto &[_, head] : heads_) used.insert(head.first_chunk);
  for (const auto &[first, _] : segments_)
    if (used.count(first) == 0) unused.insert(first);
  for (const auto first : unused) free_chunks(maps, first);
  std::vector<uint32_t> vips;
  for (const auto &[vip, services] : services_of_vip_)
    if (services == 0) vips.push_back(vip);
  for (const auto vip : vips) release_vip(maps, vip);
  // Each by itself: what the kernel goes on to refuse of one kind keeps no other from being removed.
  attempt("remove source ranges", [&] { sources_.collect(maps); });
  attempt("remove endpoints", [&] { known_.collect(maps); });
  attempt("give up the counters of services that have gone", [&] {
    std::set<ServiceId> in_force;
    for (const auto &[id, _] : heads_) in_force.insert(id);
    traffic_.keep_only(in_force);
  });
}

// --- changes ---

ServiceTable::Change::~Change() { table_->abandon(*this); }

void ServiceTable::Change::commit() { table_->commit(*this); }

ServiceTable::Change ServiceTable::prepare(const Wishes &wishes) {
  Change change(*this);
  std::vector<Layout> layouts;
  for (const auto &wish : wishes)
    if (wish.service) layouts.emplace_back(wish.id, *wish.service);
  ServiceMaps maps(cube_);
  if (leftovers_) attempt("remove what has been left", [&] { collect(maps); });
  check_room(wishes, layouts);

  change.written_.reserve(layouts.size());
  auto layout = layouts.begin();
  for (const auto &wish : wishes) {
    const bool exists = heads_.count(wish.id) > 0;
    change.loses_backends_ |= exists && wish.loses_backends;
    if (!wish.service) {
      if (exists) change.removed_.push_back(wish.id);
      continue;
    }
    auto &counters = change.counters_[wish.id];
    traffic_.give(wish.id, wish.service->backends, counters);
    layout->count_by(counters);
    const auto count = static_cast<uint32_t>(layout->chunks.size());
    const auto &sources = change.sources_[wish.id] = sources_.next(wish.id, wish.service->sources);
    layout->number(wish.id, ++version_, count == 0 ? 0 : unused_chunks(count), sources.number);
    change.written_.emplace_back(wish.id, layout->entry);
    change.heads_.emplace(wish.id, layout->entry.head);
    write_chunks(maps, *layout);
    sources_.write(maps, wish.id, sources);
    if (services_of_vip_.emplace(wish.id.vip, 0).first->second == 0) {
      change.new_vips_.push_back(wish.id.vip);
      maps.vips.set(wish.id.vip, 1);
    }
    auto &backends = change.backends_[wish.id] = KnownEndpoints::of(wish.id, wish.service->backends);
    known_.announce(maps, wish.id, backends);
    ++layout;
  }
  return change;
}

void ServiceTable::abandon(Change &change) noexcept {
  if (!change.was_in_force_)
    attempt("free counters of a change that was not made", [&] {
      for (const auto &[id, numbers] : change.counters_) traffic_.discard(id, numbers);
    });
  if (change.heads_.empty()) return;
  sources_.leave(std::move(change.sources_));
  attempt("undo a change that was not made", [&] {
    ServiceMaps maps(cube_);
    for (const auto &[id, head] : change.heads_)
      if (lost_.count(id) == 0) free_chunks(maps, head.first_chunk);
    if (!lost_.empty()) return;  // what is in force instead needs the rest: collect() removes it afterwards
    sources_.collect(maps);
    for (const auto vip : change.new_vips_) release_vip(maps, vip);
    for (const auto &[id, backends] : change.backends_) known_.withdraw(maps, id, backends);
  });
  change.heads_.clear();
}

ServiceTable::Before ServiceTable::entries_of(ServiceMaps &maps, const Change &change) const {
  Before before;
  const auto note = [&](const ServiceId &id) {
    const auto lost = lost_.find(id);
    if (lost != lost_.end())
      before.insert(*lost);
    else
      before.emplace(id, heads_.count(id) > 0 ? maps.services.find(kernel_key(id)) : std::nullopt);
  };
  for (const auto &id : change.removed_) note(id);
  for (const auto &[id, _] : change.written_) note(id);
  return before;
}

void ServiceTable::commit(Change &change) {
  ServiceMaps maps(cube_);
  Before before = entries_of(maps, change);
  std::vector<ServiceId> switched;
  switched.reserve(before.size());
  change.was_in_force_ = true;
  try {
    for (const auto &id : change.removed_) {
      maps.services.remove(kernel_key(id));
      switched.push_back(id);
    }
    for (const auto &[id, entry] : change.written_) {
      maps.services.set(kernel_key(id), entry);
      switched.push_back(id);
    }
  } catch (...) {
    undo(maps, std::move(before), switched);
    throw;
  }
  for (const auto &id : switched) lost_.erase(id);
  // From here on nothing fails, and nothing needs memory.
  for (const auto &id : change.removed_) forget(maps, id);
  while (!change.heads_.empty()) {
    auto node = change.heads_.extract(change.heads_.begin());
    const auto old = heads_.find(node.key());
    if (old == heads_.end()) {
      ++services_of_vip_.find(node.key().vip)->second;
      heads_.insert(std::move(node));
    } else {
      free_chunks(maps, old->second.first_chunk);
      old->second = node.mapped();
    }
  }
  for (const auto &id : change.removed_) release_vip(maps, id.vip);
  sources_.settle(std::move(change.sources_), change.removed_);
  if (lost_.empty()) attempt("remove source ranges", [&] { sources_.collect(maps); });
  attempt("note who is a backend",
          [&] { known_.settle(maps, std::move(change.backends_), change.removed_); });
  // Those in force first: numbers that are not settled are given to others.
  for (const auto &given : change.counters_)
    attempt("note whose counters are whose", [&] { traffic_.settle(given.first, given.second); });
  for (const auto &id : change.removed_)
    attempt("keep what a removed service has counted", [&] { traffic_.remove(id); });
  if (change.loses_backends_) attempt("announce a removal", [&] { announce_removal(maps); });
}

// Of a service that has been removed.
void ServiceTable::forget(ServiceMaps &maps, const ServiceId &id) noexcept {
  const auto old = heads_.find(id);
  free_chunks(maps, old->second.first_chunk);
  --services_of_vip_.find(id.vip)->second;
  heads_.erase(old);
}

void ServiceTable::put_back(ServiceMaps &maps, const Before::value_type &old) {
  const auto &[id, entry] = old;
  if (entry)
    maps.services.set(kernel_key(id), *entry);
  else
    maps.services.remove(kernel_key(id));
}

// What cannot be put back is tried again before the next change.
void ServiceTable::undo(ServiceMaps &maps, Before before, const std::vector<ServiceId> &switched) noexcept {
  for (auto id = switched.rbegin(); id != switched.rend(); ++id) {
    auto old = before.extract(*id);
    const auto put = [&] { put_back(maps, {old.key(), old.mapped()}); };
    if (!attempt("undo a change that was refused", put)) lost_.insert(std::move(old));
  }
}

// --- after a start ---

// Whether the maps hold what they would if the service were written now.
bool ServiceTable::stands(const Wish &wish, const TrafficTable::Numbers &counters, const Entries &entries,
                          const Chunks &chunks) const {
  const auto found = entries.find(wish.id);
  if (found == entries.end() || !sources_.has(wish.id, wish.service->sources)) return false;
  const auto &head = found->second.head;
  Layout layout(wish.id, *wish.service);
  layout.count_by(counters);
  layout.number(wish.id, head.version, head.first_chunk, head.sources);
  if (std::memcmp(&found->second, &layout.entry, sizeof(layout.entry)) != 0) return false;
  for (uint32_t i = 0; i < layout.chunks.size(); ++i) {
    const auto chunk = chunks.find(head.first_chunk + i);
    if (chunk == chunks.end() || std::memcmp(&chunk->second, &layout.chunks[i], CHUNK_BYTES) != 0)
      return false;
  }
  return true;
}

void ServiceTable::remove_leftovers(ServiceMaps &maps, const Wishes &wishes, const Chunks &chunks) {
  std::set<ServiceId> wanted;
  for (const auto &wish : wishes) wanted.insert(wish.id);
  Wishes unwanted;
  for (const auto &[id, _] : heads_)
    if (wanted.count(id) == 0) unwanted.push_back({id});
  // Twice, because a cube that is not restored has no API: what the kernel refuses once may be busy.
  const auto remove = [&] { prepare(unwanted).commit(); };
  if (!attempt("remove services that are not wanted any more", remove)) remove();

  for (const auto &[number, chunk] : chunks) {
    const auto segment = segments_.upper_bound(number);
    if (segment != segments_.begin()) {
      const auto &[first, count] = *std::prev(segment);
      if (number < first + count) continue;
    }
    segments_.emplace(number, 1);
    ++chunks_used_;
    free_chunks(maps, number);
  }
  for (const auto &[vip, _] : maps.vips.get_all())
    if (services_of_vip_.emplace(vip, 0).second) release_vip(maps, vip);
  attempt("remove source ranges", [&] { sources_.collect(maps); });
}

void ServiceTable::restore(const Wishes &wishes) {
  ServiceMaps maps(cube_);
  traffic_.adopt();
  Entries entries;
  for (const auto &[key, entry] : maps.services.get_all()) {
    const auto &head = entry.head;
    entries.emplace(id_of(key), entry);
    heads_.emplace(id_of(key), head);
    ++services_of_vip_[key.vip];
    if (const uint32_t count = chunks_of(head); count > 0) segments_.emplace(head.first_chunk, count);
    chunks_used_ += chunks_of(head);
  }
  sources_.load(maps, heads_);
  known_.load(maps);
  const auto found = maps.chunks.get_all();
  const Chunks chunks(found.begin(), found.end());
  // At once, because what collect() finds announced only it takes for left over.
  KnownEndpoints::Services services;
  for (const auto &wish : wishes) {
    const auto &backends = services[wish.id] = KnownEndpoints::of(wish.id, wish.service->backends);
    known_.announce(maps, wish.id, backends);
  }
  known_.settle(maps, std::move(services), {});
  remove_leftovers(maps, wishes, chunks);
  for (const auto &wish : wishes) {
    TrafficTable::Numbers counters;
    traffic_.give(wish.id, wish.service->backends, counters);
    if (stands(wish, counters, entries, chunks))
      traffic_.settle(wish.id, counters);
    else
      prepare({wish}).commit();
  }
  std::set<ServiceId> wanted;
  for (const auto &wish : wishes) wanted.insert(wish.id);
  attempt("keep what removed services have counted", [&] { traffic_.keep_only(wanted); });
  attempt("remove backends of nobody", [&] { known_.drop_leftovers(maps); });
  announce_removal(maps);
}

}  // namespace k8slbrp
