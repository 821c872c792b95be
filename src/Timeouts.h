// The idle timeouts of sessions, in seconds, and what else the datapath reads from its map `settings`.
#pragma once

#include <cstdint>

#include "config.h"
#include "datapath/abi.h"

namespace k8slbrp {

struct Timeouts {
  uint32_t tcp_opening = 240;
  uint32_t tcp_established = 86400;
  uint32_t tcp_half_closed = 3600;
  uint32_t tcp_closed = 240;
  uint32_t udp_unanswered = 120;
  uint32_t udp_answered = 120;
  uint32_t udp_stream = 180;
  uint32_t icmp = 60;

  // After a POST or PUT, and after a PATCH.
  static Timeouts from(const TimeoutsConfig &config) { return Timeouts{}.updated(config); }
  Timeouts updated(const TimeoutsConfig &config) const;

  TimeoutsConfig config() const;
  abi::settings for_kernel(bool reject_unserved) const;
};

}  // namespace k8slbrp
