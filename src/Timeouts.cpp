#include "Timeouts.h"

#include <netinet/in.h>

#include <algorithm>
#include <iterator>

namespace k8slbrp {

abi::settings Timeouts::for_kernel(bool reject_unserved) const {
  abi::settings settings{};
  for (auto &states : settings.timeouts) std::fill(std::begin(states), std::end(states), icmp);
  auto &tcp = settings.timeouts[IPPROTO_TCP];
  tcp[abi::SESSION_OPENING] = tcp[abi::SESSION_ANSWERED] = tcp_opening;
  tcp[abi::SESSION_ESTABLISHED] = tcp_established;
  tcp[abi::SESSION_CLIENT_CLOSED] = tcp[abi::SESSION_SERVER_CLOSED] = tcp_half_closed;
  for (const auto state :
       {abi::SESSION_CLOSED, abi::SESSION_RESET, abi::SESSION_RESET_CLIENT, abi::SESSION_RESET_SERVER})
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
