#include "Statistics.h"

#include <netinet/in.h>

#include <numeric>

namespace k8slbrp {

uint64_t Statistics::event(abi::event event) const {
  const auto counts = cube_.get_percpuarray_table<uint64_t>("events").get(event);
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

uint64_t Statistics::resumed_sessions() const {
  const auto cpus = cube_.get_percpuarray_table<uint64_t>("table_changes").get(abi::CHANGE_RESUMED);
  return std::accumulate(cpus.begin(), cpus.end(), uint64_t{0});
}

abi::total Statistics::total(abi::side side, abi::fate fate) const {
  abi::total sum{};
  const auto cpus = cube_.get_percpuarray_table<abi::total>("totals").get(side * abi::FATE_COUNT + fate);
  for (const auto &cpu : cpus) {
    sum.packets += cpu.packets;
    sum.bytes += cpu.bytes;
  }
  return sum;
}

template <class Config>
Config Statistics::side(abi::side side, abi::total translated) const {
  const auto passed = total(side, abi::FATE_PASSED), dropped = total(side, abi::FATE_DROPPED),
             slow_path = total(side, abi::FATE_SLOW_PATH);
  Config config;
  config.translated_packets = translated.packets;
  config.translated_bytes = translated.bytes;
  config.passed_packets = passed.packets;
  config.passed_bytes = passed.bytes;
  config.slow_path_packets = slow_path.packets;
  config.slow_path_bytes = slow_path.bytes;
  config.dropped_packets = dropped.packets;
  config.dropped_bytes = dropped.bytes;
  return config;
}

// What is translated is counted by backends, and by direction. Answers of a client that is its own backend
// come in by FRONTEND ports.
StatsFrontendConfig Statistics::frontend() const {
  const auto hairpin = total(abi::SIDE_FRONTEND, abi::FATE_HAIRPIN);
  const auto all = traffic_.all();
  return side<StatsFrontendConfig>(abi::SIDE_FRONTEND,
                                   {all.packets_in + hairpin.packets, all.bytes_in + hairpin.bytes});
}

// Both figures grow while they are read; their difference does not shrink from one answer to the next.
StatsBackendConfig Statistics::backend() {
  const std::lock_guard lock(mutex_);
  const auto all = traffic_.all();
  const auto hairpin = total(abi::SIDE_FRONTEND, abi::FATE_HAIRPIN);
  auto &shown = backend_translated_;
  if (all.packets_out >= shown.packets + hairpin.packets) shown.packets = all.packets_out - hairpin.packets;
  if (all.bytes_out >= shown.bytes + hairpin.bytes) shown.bytes = all.bytes_out - hairpin.bytes;
  return side<StatsBackendConfig>(abi::SIDE_BACKEND, shown);
}

StatsOtherConfig Statistics::other() {
  StatsOtherConfig config;
  show_traffic(traffic_.others(), config);
  config.active_sessions = tally_.get()->direct();
  return config;
}

StatsDropsConfig Statistics::drops() const {
  StatsDropsConfig config;
  config.port_not_ready = event(abi::EVENT_DROP_PORT_NOT_READY);
  config.slow_path_full = event(abi::EVENT_DROP_SLOW_PATH_FULL);
  config.no_peer = event(abi::EVENT_DROP_NO_PEER);
  config.malformed = event(abi::EVENT_DROP_MALFORMED);
  config.no_port = event(abi::EVENT_DROP_NO_PORT);
  config.fragment = event(abi::EVENT_DROP_FRAGMENT);
  config.icmp_error = event(abi::EVENT_DROP_ICMP_ERROR);
  config.rate_limited = event(abi::EVENT_RATE_LIMITED);
  config.source_ports = event(abi::EVENT_DROP_SOURCE_PORTS);
  config.table_changed = event(abi::EVENT_DROP_TABLE_CHANGED);
  config.no_session = event(abi::EVENT_DROP_NO_SESSION);
  config.table_busy = event(abi::EVENT_TABLE_BUSY);
  config.source_range = event(abi::EVENT_DROP_SOURCE_RANGE);
  return config;
}

StatsPuntsConfig Statistics::punts() const {
  auto limits = cube_.get_percpuarray_table<abi::limit>("limits");
  uint64_t omitted = 0;
  const auto given = [&](abi::slowpath_reason reason) {
    uint64_t sum = 0;
    for (const auto &cpu : limits.get(reason)) {
      sum += cpu.given;
      omitted += cpu.omitted;
    }
    return sum;
  };
  StatsPuntsConfig config;
  config.flood = given(abi::REASON_FLOOD);
  config.reject = given(abi::REASON_REJECT);
  config.fragment_hold = given(abi::REASON_FRAGMENT_HOLD);
  config.fragment_release = given(abi::REASON_FRAGMENT_RELEASE);
  config.arp_reply = given(abi::REASON_ARP_REPLY);
  config.reset = given(abi::REASON_RESET);
  config.copies_omitted = omitted;
  return config;
}

StatsSessionsTcpConfig Statistics::tcp() {
  const auto tally = tally_.get();
  const auto in = [&](auto... states) { return tally->in_state(IPPROTO_TCP, {states...}); };
  StatsSessionsTcpConfig config;
  config.opening = in(abi::SESSION_OPENING);
  config.answered = in(abi::SESSION_ANSWERED);
  config.established = in(abi::SESSION_ESTABLISHED);
  config.client_closed = in(abi::SESSION_CLIENT_CLOSED);
  config.server_closed = in(abi::SESSION_SERVER_CLOSED);
  config.closed = in(abi::SESSION_CLOSED);
  config.reset = in(abi::SESSION_RESET, abi::SESSION_RESET_CLIENT, abi::SESSION_RESET_SERVER);
  return config;
}

StatsSessionsUdpConfig Statistics::udp() {
  const auto tally = tally_.get();
  const auto in = [&](auto state) { return tally->in_state(IPPROTO_UDP, {state}); };
  StatsSessionsUdpConfig config;
  config.opening = in(abi::SESSION_OPENING);
  config.answered = in(abi::SESSION_ANSWERED);
  config.established = in(abi::SESSION_ESTABLISHED);
  return config;
}

StatsSessionsIcmpConfig Statistics::icmp() {
  const auto tally = tally_.get();
  const auto in = [&](auto state) { return tally->in_state(IPPROTO_ICMP, {state}); };
  StatsSessionsIcmpConfig config;
  config.opening = in(abi::SESSION_OPENING);
  config.answered = in(abi::SESSION_ANSWERED);
  config.established = in(abi::SESSION_ESTABLISHED);
  return config;
}

StatsSessionsConfig Statistics::sessions() {
  StatsSessionsConfig config;
  config.tcp = tcp();
  config.udp = udp();
  config.icmp = icmp();
  config.expired = tally_.get()->expired();
  return config;
}

}  // namespace k8slbrp
