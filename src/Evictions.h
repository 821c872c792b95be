// How many sessions have been evicted: from `openings`, which the datapath counts, and from `clients` by
// SessionReaper. That is computed: sessions added, less those removed because they were over or ended, less
// those that are there. Evictions from `flows` alone are not counted.
#pragma once

#include <cstdint>
#include <mutex>

#include "SessionWalk.h"
#include "datapath/abi.h"

namespace k8slbrp {

class Evictions {
 public:
  explicit Evictions(const Maps &maps) : maps_(maps) {}

  uint64_t from_openings() const { return change(abi::CHANGE_OPENING_EVICTED); }

  // Added to `clients` so far. Ask before looking how many are there.
  uint64_t added() const { return change(abi::CHANGE_CLIENT_ADDED); }
  // Notes how many of those `there` are, and answers how many have been evicted from `clients`. While
  // sessions come and go it may be too few, which is made up for later; it never shrinks.
  uint64_t settle(uint64_t added, uint64_t there);

  // What has been removed, noted little by little: what a process that is killed has not noted counts as
  // evicted, for good.
  class Removals {
   public:
    explicit Removals(Evictions &evictions) : evictions_(evictions) {}
    Removals &operator+=(const EntryCounts &entries);
    void note();

   private:
    static constexpr uint64_t kMostUnnoted = 32;

    Evictions &evictions_;
    uint64_t unnoted_ = 0;
  };

  // Runs `remove`, which adds what it removes to its argument: sessions that are over, or that the control
  // plane was told to end. Nobody settles meanwhile: what is removed and not noted yet would count as
  // evicted, for good.
  template <class Remove>
  void while_removing(Remove remove) {
    const std::lock_guard lock(mutex_);
    Removals removed(*this);
    try {
      remove(removed);
    } catch (...) {
      removed.note();
      throw;
    }
    removed.note();
  }

 private:
  void note(uint64_t removed);
  uint64_t change(abi::table_change change) const;

  const Maps maps_;
  std::mutex mutex_;
};

}  // namespace k8slbrp
