#include "Evictions.h"

#include <algorithm>
#include <numeric>

namespace k8slbrp {

Evictions::Sessions &Evictions::Sessions::operator+=(const EntryCounts &entries) {
  openings += entries[static_cast<std::size_t>(SessionMap::Openings)];
  clients += entries[static_cast<std::size_t>(SessionMap::Clients)];
  return *this;
}

uint64_t Evictions::change(abi::table_change change) const {
  const auto cpus = maps_.percpu_array<uint64_t>("table_changes").get(change);
  return std::accumulate(cpus.begin(), cpus.end(), uint64_t{0});
}

Evictions::Sessions Evictions::made() const {
  return {change(abi::CHANGE_OPENING_ADDED), change(abi::CHANGE_CLIENT_ADDED)};
}

Evictions::Sessions Evictions::settle(const Sessions &made, const Sessions &there) {
  const std::lock_guard lock(mutex_);
  auto table = maps_.array<abi::evictions>("evictions");
  auto known = table.get(0);
  const auto missing = [](uint64_t made, uint64_t accounted) {
    return made > accounted ? made - accounted : 0;
  };
  const uint64_t openings = change(abi::CHANGE_OPENING_REMOVED) + known.openings_removed + there.openings;
  const uint64_t clients = change(abi::CHANGE_CLIENT_REMOVED) + known.clients_removed + there.clients;
  known.openings_evicted = std::max<uint64_t>(known.openings_evicted, missing(made.openings, openings));
  known.clients_evicted = std::max<uint64_t>(known.clients_evicted, missing(made.clients, clients));
  table.set(0, known);
  return {known.openings_evicted, known.clients_evicted};
}

Evictions::Removals &Evictions::Removals::operator+=(const EntryCounts &entries) {
  unnoted_ += entries;
  if (unnoted_.openings + unnoted_.clients >= kMostUnnoted) note();
  return *this;
}

void Evictions::Removals::note() {
  evictions_.note(unnoted_);
  unnoted_ = {};
}

void Evictions::note(const Sessions &removed) {
  if (removed.openings == 0 && removed.clients == 0) return;
  auto table = maps_.array<abi::evictions>("evictions");
  auto known = table.get(0);
  known.openings_removed += removed.openings;
  known.clients_removed += removed.clients;
  table.set(0, known);
}

}  // namespace k8slbrp
