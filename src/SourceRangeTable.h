// From where services serve: the map `source_ranges`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "Service.h"
#include "Tables.h"

namespace k8slbrp {

// A service's ranges are a set with a number, which its entry in `services` names. So a new set is written
// beside the one in force, and the entry switches between them.
class SourceRangeTable {
 public:
  struct Set {
    uint8_t number = 0;  // 0: all may come
    SourceRanges ranges;
  };

  using Sets = std::map<ServiceId, Set>;

  // The set with which a service serves `wanted`: the one it has, or one that is to be written.
  Set next(const ServiceId &id, const SourceRanges &wanted) const;
  // Throws bad_value when there is no room; leave() takes back what has been written.
  void write(ServiceMaps &maps, const ServiceId &id, const Set &set) const;
  // These sets are to be removed, unless they are in force. That needs no memory.
  void leave(Sets sets) noexcept;
  // Removes what has been left. What the kernel does not remove stays for the next time.
  void collect(ServiceMaps &maps);
  // From now on services have these sets, others are no more; what they had is left. That needs no memory.
  void settle(Sets sets, const std::vector<ServiceId> &removed) noexcept;

  // After a start: takes over what the entries of an earlier run lead to; all else is left.
  void load(ServiceMaps &maps, const std::map<ServiceId, abi::service_head> &heads);
  bool has(const ServiceId &id, const SourceRanges &ranges) const;

  std::size_t total() const { return total_; }
  std::size_t count(const ServiceId &id) const;

 private:
  bool is_in_force(const ServiceId &id, const Set &set) const;
  bool is_stale(const ServiceId &id, uint8_t number) const;

  Sets sets_;
  std::multimap<ServiceId, Set> stale_;  // to be removed
  std::size_t total_ = 0;                // ranges in `sets_`
};

}  // namespace k8slbrp
