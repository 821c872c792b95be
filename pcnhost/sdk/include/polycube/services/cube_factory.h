// What a host offers to a service: cubes, and the events it delivers to them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "polycube/services/cube_iface.h"
#include "polycube/services/json.hpp"

namespace polycube::service {

struct PacketInMetadata {
  uint32_t traffic_class;
  uint32_t reason;
  uint32_t metadata[3];
};

// Record that the datapath puts before a packet for the slow path (26 bytes).
struct __attribute__((packed)) PacketIn {
  uint16_t cube_id;
  uint16_t port_id;
  uint32_t packet_len;
  uint32_t traffic_class;
  uint16_t reason;
  uint32_t metadata[3];
};

// Record that pcn_log emits in the datapath: 40 bytes, then `len` bytes of format text.
struct __attribute__((packed)) LogMsg {
  uint16_t type;
  uint16_t cube_id;
  uint16_t level;
  uint16_t len;
  uint64_t args[4];
  char msg[0];
};

using packet_in_cb = std::function<void(const PacketIn *md, const std::vector<uint8_t> &packet)>;
using log_msg_cb = std::function<void(const LogMsg *msg)>;
using attach_cb = std::function<void(void)>;
using set_log_level_cb = std::function<void(LogLevel level)>;

// The order of the virtual functions is part of the ABI.
class CubeFactory {
 public:
  // The host keeps references to the callbacks: they must live until destroy_cube() returns.
  virtual std::shared_ptr<CubeIface> create_cube(const nlohmann::json &conf,
                                                 const std::vector<std::string> &ingress_code,
                                                 const std::vector<std::string> &egress_code,
                                                 const log_msg_cb &log_msg,
                                                 const set_log_level_cb &log_level_cb,
                                                 const packet_in_cb &cb = packet_in_cb()) = 0;
  virtual std::shared_ptr<TransparentCubeIface> create_transparent_cube(
      const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
      const std::vector<std::string> &egress_code, const log_msg_cb &log_msg,
      const set_log_level_cb &log_level_cb, const packet_in_cb &cb, const attach_cb &attach) = 0;
  virtual void destroy_cube(const std::string &name) = 0;

 protected:
  ~CubeFactory() = default;
};

}  // namespace polycube::service
