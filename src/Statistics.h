// The counters of the datapath, as REST shows them.
#pragma once

#include <polycube/services/base_cube.h>

#include <cstdint>
#include <vector>

#include "SessionTally.h"
#include "TrafficTable.h"
#include "config.h"
#include "datapath/abi.h"

namespace k8slbrp {

// Fills what all containers of the grouping `traffic` have.
template <class Config>
void show_traffic(const abi::traffic &figures, Config &config) {
  config.packets_in = figures.packets_in;
  config.bytes_in = figures.bytes_in;
  config.packets_out = figures.packets_out;
  config.bytes_out = figures.bytes_out;
  config.new_sessions = figures.new_sessions;
}

// Reads maps only, so it needs none of the cube's locks.
class Statistics {
 public:
  Statistics(polycube::service::BaseCube &cube, const OpenMaps &maps, const Openings &openings,
             TrafficTable &traffic)
      : cube_(cube), traffic_(traffic), evictions_(maps), tally_(cube, openings, evictions_) {}

  StatsFrontendConfig frontend() const;
  StatsBackendConfig backend();
  StatsOtherConfig other();
  StatsDropsConfig drops() const;
  StatsPuntsConfig punts() const;
  uint64_t event(abi::event event) const;
  uint64_t resumed_sessions() const;

  StatsSessionsTcpConfig tcp();
  StatsSessionsUdpConfig udp();
  StatsSessionsIcmpConfig icmp();
  StatsSessionsConfig sessions();

  std::shared_ptr<const SessionTally> tally() { return tally_.get(); }
  Evictions &evictions() { return evictions_; }

 private:
  abi::total total(abi::side side, abi::fate fate) const;
  template <class Config>
  Config side(abi::side side, abi::total translated) const;

  polycube::service::BaseCube &cube_;
  TrafficTable &traffic_;
  Evictions evictions_;
  LastTally tally_;
  std::mutex mutex_;
  abi::total backend_translated_{};  // as last shown
};

}  // namespace k8slbrp
