#include "Evictions.h"

#include <algorithm>
#include <numeric>

namespace k8slbrp {

uint64_t Evictions::change(abi::table_change change) const {
  const auto cpus = maps_.percpu_array<uint64_t>("table_changes").get(change);
  return std::accumulate(cpus.begin(), cpus.end(), uint64_t{0});
}

uint64_t Evictions::settle(uint64_t added, uint64_t there) {
  const std::lock_guard lock(mutex_);
  auto table = maps_.array<abi::evictions>("evictions");
  auto known = table.get(0);
  const uint64_t accounted = change(abi::CHANGE_CLIENT_REMOVED) + known.removed + there;
  known.evicted = std::max<uint64_t>(known.evicted, added > accounted ? added - accounted : 0);
  table.set(0, known);
  return known.evicted;
}

Evictions::Removals &Evictions::Removals::operator+=(const EntryCounts &entries) {
  unnoted_ += entries[static_cast<std::size_t>(SessionMap::Clients)];
  if (unnoted_ >= kMostUnnoted) note();
  return *this;
}

void Evictions::Removals::note() {
  evictions_.note(unnoted_);
  unnoted_ = 0;
}

void Evictions::note(uint64_t removed) {
  if (removed == 0) return;
  auto table = maps_.array<abi::evictions>("evictions");
  auto known = table.get(0);
  known.removed += removed;
  table.set(0, known);
}

}  // namespace k8slbrp
