// A virtual service and its backends, as validated and stored. Addresses and ports of the network are plain
// numbers here: addresses in network byte order, ports in host byte order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "FlatMap.h"
#include "config.h"

namespace k8slbrp {

struct Backend {
  std::string name;
  uint16_t port = 0;
  uint16_t weight = 1;
  ServiceBackendState state = ServiceBackendState::Active;

  bool operator==(const Backend &other) const {
    return name == other.name && port == other.port && weight == other.weight && state == other.state;
  }
};

using ServiceBackends = FlatMap<uint32_t, Backend>;  // by address

// What identifies a service in the datapath: one of TCP, UDP, ICMP; the port is 0 for ICMP.
struct ServiceId {
  uint32_t vip = 0;
  uint16_t port = 0;
  uint8_t protocol = 0;

  bool operator<(const ServiceId &other) const {
    if (vip != other.vip) return vip < other.vip;
    return port != other.port ? port < other.port : protocol < other.protocol;
  }
};

// Clients with the first `length` bits of `ip`; all others of it are zero.
struct SourceRange {
  uint32_t ip = 0;
  uint8_t length = 0;

  bool operator==(const SourceRange &other) const { return ip == other.ip && length == other.length; }
  bool operator<(const SourceRange &other) const {
    return ip != other.ip ? ip < other.ip : length < other.length;
  }
};
using SourceRanges = std::set<SourceRange>;

constexpr std::size_t kMaxRangesOfService = 4096;

constexpr uint32_t kDefaultAffinityTimeout = 10800;

struct Service {
  std::string name;
  ServiceBackends backends;
  ServiceSessionAffinity session_affinity = ServiceSessionAffinity::None;
  uint32_t affinity_timeout = kDefaultAffinityTimeout;  // in seconds
  SourceRanges sources;                                 // none: all may come
};

}  // namespace k8slbrp
