// A map whose entries lie side by side, in the order of their keys: it is walked many times faster than the
// nodes of a std::map, which are each somewhere else, and copied with one allocation. What comes or goes
// moves those behind it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace k8slbrp {

template <typename Key, typename Value>
class FlatMap {
 public:
  using Entry = std::pair<Key, Value>;
  using iterator = typename std::vector<Entry>::iterator;
  using const_iterator = typename std::vector<Entry>::const_iterator;

  const_iterator begin() const { return entries_.begin(); }
  const_iterator end() const { return entries_.end(); }
  iterator end() { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }

  iterator find(const Key &key) {
    const auto place = not_before(entries_, key);
    return place != entries_.end() && place->first == key ? place : entries_.end();
  }
  const_iterator find(const Key &key) const {
    const auto place = not_before(entries_, key);
    return place != entries_.end() && place->first == key ? place : entries_.end();
  }

  Value &operator[](const Key &key) {
    const auto place = not_before(entries_, key);
    if (place != entries_.end() && place->first == key) return place->second;
    return entries_.insert(place, {key, Value{}})->second;
  }

  // All at once, and none of their keys may be here: one by one they would take quadratic time.
  void add(std::map<Key, Value> others) {
    const auto old = static_cast<std::ptrdiff_t>(entries_.size());
    entries_.reserve(entries_.size() + others.size());
    for (auto &[key, value] : others) entries_.emplace_back(key, std::move(value));
    const auto before = [](const Entry &a, const Entry &b) { return a.first < b.first; };
    std::inplace_merge(entries_.begin(), entries_.begin() + old, entries_.end(), before);
  }

  std::size_t erase(const Key &key) {
    const auto found = find(key);
    if (found == entries_.end()) return 0;
    entries_.erase(found);
    return 1;
  }

 private:
  template <typename Entries>
  static auto not_before(Entries &entries, const Key &key) {
    return std::lower_bound(entries.begin(), entries.end(), key,
                            [](const Entry &entry, const Key &wanted) { return entry.first < wanted; });
  }

  std::vector<Entry> entries_;
};

}  // namespace k8slbrp
