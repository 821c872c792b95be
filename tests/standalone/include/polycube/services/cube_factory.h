#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cube_iface.h"

namespace polycube::service {
struct PacketInMetadata {
  uint32_t traffic_class;
  uint32_t reason;
  uint32_t metadata[3];
};
struct __attribute__((packed)) PacketIn {
  uint16_t cube_id;
  uint16_t port_id;
  uint32_t packet_len;
  uint32_t traffic_class;
  uint16_t reason;
  uint32_t metadata[3];
};
struct __attribute__((packed)) LogMsg {
  uint16_t type;
  uint16_t cube_id;
  uint16_t level;
  uint16_t len;
  uint64_t args[4];
  char msg[0];
};
typedef std::function<void(const PacketIn *md, const std::vector<uint8_t> &packet)> packet_in_cb;
typedef std::function<void(const LogMsg *msg)> log_msg_cb;
typedef std::function<void(void)> attach_cb;
typedef std::function<void(LogLevel level)> set_log_level_cb;

class CubeFactory {
 public:
  virtual std::shared_ptr<CubeIface> create_cube(const nlohmann::json &conf,
                                                 const std::vector<std::string> &ingress_code,
                                                 const std::vector<std::string> &egress_code,
                                                 const log_msg_cb &log_msg, const set_log_level_cb &log_level_cb,
                                                 const packet_in_cb &cb = packet_in_cb()) = 0;
  virtual std::shared_ptr<TransparentCubeIface> create_transparent_cube(
      const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
      const std::vector<std::string> &egress_code, const log_msg_cb &log_msg,
      const set_log_level_cb &log_level_cb, const packet_in_cb &cb, const attach_cb &attach) = 0;
  virtual void destroy_cube(const std::string &name) = 0;
};
}  // namespace polycube::service
