// How many sessions have been evicted, from `openings` by the kernel and from `clients` by the reaper: those
// that the datapath has made, and that nobody has removed because they were over, and that are not there.
#pragma once

#include <polycube/services/base_cube.h>

#include <cstdint>
#include <mutex>

#include "datapath/abi.h"

namespace k8slbrp {

class Evictions {
 public:
  explicit Evictions(polycube::service::BaseCube &cube) : cube_(cube) {}

  struct Sessions {
    uint64_t openings = 0, clients = 0;
  };

  // Sessions made so far. Ask before looking which are there.
  Sessions made() const;
  // Notes how many of those `there` are, and answers how many have been evicted. While sessions come and go
  // it may be too few, which is made up for later; it never shrinks.
  Sessions settle(const Sessions &made, const Sessions &there);
  // The control plane has removed some that were over, or that it was told to end.
  void removed(const Sessions &sessions);

 private:
  uint64_t change(abi::table_change change) const;

  polycube::service::BaseCube &cube_;
  std::mutex mutex_;
};

}  // namespace k8slbrp
