// A port of the cube, and the plain description of one that the configuration works with.
#pragma once

#include <polycube/services/cube.h>
#include <polycube/services/port.h>

#include <cstdint>
#include <string>

#include "config.h"

namespace k8slbrp {

// What a port is or is to be. `base` is the JSON a new port is created from; the host reads `peer` and
// `tcubes` in it. The last two are what a port has that exists, or has existed.
struct PortState {
  PortsType type = PortsType::Frontend;
  uint32_t ip = 0;  // FRONTEND in MULTI mode, network byte order; otherwise 0
  std::string peer;
  bool connect = false;  // set the peer even if it is the same: an interface of that name may be a new one
  nlohmann::json base;
  uint32_t generation = 0;
  int index = -1;

  const nlohmann::json &getBase() const { return base; }
};

class Ports final : public polycube::service::Port {
 public:
  Ports(polycube::service::Cube<Ports> &cube, std::shared_ptr<polycube::service::PortIface> host,
        const PortState &state);

  PortsConfig config() const;
  PortState state() const;
  void set_role(const PortState &state);  // type and address; not the peer
  // Sessions of another process's port are this one's.
  void continue_as(uint32_t generation) { generation_ = generation; }

  PortsType type() const { return type_; }
  uint32_t ip() const { return ip_; }
  uint32_t generation() const { return generation_; }

 private:
  PortsType type_;
  uint32_t ip_;
  uint32_t generation_;  // tells this port from others that have had its index, or itself in another role
};

}  // namespace k8slbrp
