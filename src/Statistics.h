// The counters of the datapath, as REST shows them.
#pragma once

#include <polycube/services/base_cube.h>

#include <cstdint>
#include <vector>

#include "SessionTally.h"
#include "config.h"
#include "datapath/abi.h"

namespace k8slbrp {

// Reads maps only, so it needs none of the cube's locks.
class Statistics {
 public:
  explicit Statistics(polycube::service::BaseCube &cube) : cube_(cube), tally_(cube) {}

  StatsDropsConfig drops() const;
  StatsPuntsConfig punts() const;
  uint64_t event(abi::event event) const;

  StatsSessionsTcpConfig tcp();
  StatsSessionsUdpConfig udp();
  StatsSessionsIcmpConfig icmp();
  StatsSessionsConfig sessions();

  std::shared_ptr<const SessionTally> tally() { return tally_.get(); }

 private:
  polycube::service::BaseCube &cube_;
  LastTally tally_;
};

}  // namespace k8slbrp
