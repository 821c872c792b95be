// Packets that the datapath hands to the control plane: flooding, rejections, ARP for virtual client
// addresses, fragments that came too early, sessions that have been ended with a reset.
#pragma once

#include <polycube/services/cube.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "HeldFragments.h"
#include "Openings.h"
#include "Ports.h"
#include "datapath/abi.h"

namespace k8slbrp {

// What the slow path knows of the configuration. It works on a copy that is replaced as a whole, because it
// runs with cube_mutex held and must not wait for the configuration lock (whoever holds that may be waiting
// for cube_mutex).
struct SlowPathView {
  std::vector<std::shared_ptr<Ports>> frontends;
  std::shared_ptr<Ports> backend;  // may be null
  abi::src_ip_rewrite rewrite{};
};

// Answers, repeats or keeps one packet that came in by `port`. Packets it cannot understand are dropped.
void handle_slow_path(polycube::service::BaseCube &cube, const Openings &openings, const SlowPathView &view,
                      HeldFragments &fragments, Ports &port,
                      const polycube::service::PacketInMetadata &metadata,
                      const std::vector<uint8_t> &packet);

}  // namespace k8slbrp
