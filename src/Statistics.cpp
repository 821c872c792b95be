#include "Statistics.h"

#include <netinet/in.h>

#include <numeric>

namespace k8slbrp {

uint64_t Statistics::event(abi::event event) const {
  const auto counts = cube_.get_percpuarray_table<uint64_t>("events").get(event);
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

StatsDropsConfig Statistics::drops() const {
  StatsDropsConfig config;
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
  StatsPuntsConfig config;
  config.fragment_hold = event(abi::EVENT_FRAGMENT_HELD);
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
