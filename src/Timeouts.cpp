#include "Timeouts.h"

#include <netinet/in.h>

#include <algorithm>
#include <iterator>

namespace k8slbrp {

Timeouts Timeouts::updated(const TimeoutsConfig &config) const {
  Timeouts changed = *this;
  changed.tcp_opening = config.tcp_opening.value_or(tcp_opening);
  changed.tcp_established = config.tcp_established.value_or(tcp_established);
  changed.tcp_half_closed = config.tcp_half_closed.value_or(tcp_half_closed);
  changed.tcp_closed = config.tcp_closed.value_or(tcp_closed);
  changed.udp_unanswered = config.udp_unanswered.value_or(udp_unanswered);
  changed.udp_answered = config.udp_answered.value_or(udp_answered);
  changed.udp_stream = config.udp_stream.value_or(udp_stream);
  changed.icmp = config.icmp.value_or(icmp);
  return changed;
}

TimeoutsConfig Timeouts::config() const {
  TimeoutsConfig config;
  config.tcp_opening = tcp_opening;
  config.tcp_established = tcp_established;
  config.tcp_half_closed = tcp_half_closed;
  config.tcp_closed = tcp_closed;
  config.udp_unanswered = udp_unanswered;
  config.udp_answered = udp_answered;
  config.udp_stream = udp_stream;
  config.icmp = icmp;
  return config;
}

abi::settings Timeouts::for_kernel(bool reject_unserved) const {
  abi::settings settings{};
  for (auto &states : settings.timeouts) std::fill(std::begin(states), std::end(states), icmp);
  auto &tcp = settings.timeouts[IPPROTO_TCP];
  tcp[abi::SESSION_OPENING] = tcp[abi::SESSION_ANSWERED] = tcp_opening;
  tcp[abi::SESSION_ESTABLISHED] = tcp_established;
  tcp[abi::SESSION_CLIENT_CLOSED] = tcp[abi::SESSION_SERVER_CLOSED] = tcp_half_closed;
  for (const auto state : {abi::SESSION_CLOSED, abi::SESSION_RESET, abi::SESSION_RESET_CLIENT,
                           abi::SESSION_RESET_SERVER, abi::SESSION_ENDED})
    tcp[state] = tcp_closed;
  auto &udp = settings.timeouts[IPPROTO_UDP];
  udp[abi::SESSION_OPENING] = udp_unanswered;
  udp[abi::SESSION_ANSWERED] = udp_answered;
  udp[abi::SESSION_ESTABLISHED] = udp_stream;
  for (const auto &states : settings.timeouts)
    settings.longest_timeout =
        std::max(settings.longest_timeout, *std::max_element(std::begin(states), std::end(states)));
  settings.reject_unserved = reject_unserved;
  return settings;
}

}  // namespace k8slbrp
