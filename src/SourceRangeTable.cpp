#include "SourceRangeTable.h"

#include <arpa/inet.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "Layout.h"

namespace k8slbrp {
namespace {

abi::source_range kernel_range(const ServiceId &id, uint8_t number, const SourceRange &range) {
  abi::source_range key{SERVICE_KEY_BITS + uint32_t{range.length}, kernel_key(id), range.ip};
  key.service.pad = number;
  return key;
}

}  // namespace

bool SourceRangeTable::is_in_force(const ServiceId &id, const Set &set) const {
  const auto found = sets_.find(id);
  return found == sets_.end() ? set.number == 0 : found->second.number == set.number;
}

SourceRangeTable::Set SourceRangeTable::next(const ServiceId &id, const SourceRanges &wanted) const {
  if (wanted.empty()) return {};
  const auto found = sets_.find(id);
  if (found != sets_.end() && found->second.ranges == wanted) return found->second;
  const auto after = [](uint8_t number) {
    return static_cast<uint8_t>(number == UINT8_MAX ? 1 : number + 1);
  };
  uint8_t number = after(found == sets_.end() ? 0 : found->second.number);
  for (int tries = 1; is_stale(id, number); ++tries) {  // its ranges would be in force as well
    if (tries == UINT8_MAX)
      throw std::runtime_error("source_ranges: sets of earlier changes cannot be removed");
    number = after(number);
  }
  return {number, wanted};
}

bool SourceRangeTable::is_stale(const ServiceId &id, uint8_t number) const {
  const auto [first, last] = stale_.equal_range(id);
  return std::any_of(first, last, [=](const auto &stale) { return stale.second.number == number; });
}

void SourceRangeTable::write(ServiceMaps &maps, const ServiceId &id, const Set &set) const {
  if (is_in_force(id, set)) return;
  for (const auto &range : set.ranges) maps.source_ranges.set(kernel_range(id, set.number, range), 1);
}

void SourceRangeTable::leave(Sets sets) noexcept {
  while (!sets.empty()) stale_.insert(sets.extract(sets.begin()));
}

void SourceRangeTable::collect(ServiceMaps &maps) {
  while (!stale_.empty()) {
    const auto &[id, set] = *stale_.begin();
    if (!is_in_force(id, set))
      for (const auto &range : set.ranges) maps.source_ranges.remove(kernel_range(id, set.number, range));
    stale_.erase(stale_.begin());
  }
}

void SourceRangeTable::settle(Sets sets, const std::vector<ServiceId> &removed) noexcept {
  for (auto set = sets.begin(); set != sets.end();) {
    const auto current = set++;
    const auto old = sets_.find(current->first);
    if (is_in_force(current->first, current->second)) {
      sets.erase(current);
      continue;
    }
    total_ += current->second.ranges.size();
    if (old == sets_.end()) {
      sets_.insert(sets.extract(current));
      continue;
    }
    std::swap(old->second, current->second);
    if (old->second.number == 0) sets_.erase(old);
  }
  for (const auto &id : removed) sets.insert(sets_.extract(id));
  // What is in `sets` now has been in force before.
  for (const auto &[_, set] : sets) total_ -= set.ranges.size();
  leave(std::move(sets));
}

void SourceRangeTable::load(ServiceMaps &maps, const std::map<ServiceId, abi::service_head> &heads) {
  for (const auto &[id, head] : heads)
    if (head.sources != 0) sets_[id].number = head.sources;
  for (const auto &[key, _] : maps.source_ranges.get_all()) {
    const auto set = sets_.find(id_of(key.service));
    const SourceRange range{key.ip, static_cast<uint8_t>(key.prefix_length - SERVICE_KEY_BITS)};
    if (set == sets_.end() || set->second.number != key.service.pad) {
      stale_.emplace(id_of(key.service), Set{key.service.pad, {range}});
      continue;
    }
    set->second.ranges.insert(range);
    ++total_;
  }
}

bool SourceRangeTable::has(const ServiceId &id, const SourceRanges &ranges) const {
  const auto found = sets_.find(id);
  return found == sets_.end() ? ranges.empty() : !ranges.empty() && found->second.ranges == ranges;
}

std::size_t SourceRangeTable::count(const ServiceId &id) const {
  const auto found = sets_.find(id);
  return found == sets_.end() ? 0 : found->second.ranges.size();
}

}  // namespace k8slbrp
