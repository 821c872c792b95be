#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "guid.h"
#include "json.hpp"
#include "types.h"

namespace polycube::service {
enum class PortStatus { DOWN, UP };
enum class PortType { TC, XDP };

class PortIface {
 public:
  virtual void send_packet_out(const std::vector<uint8_t> &packet, bool recirculate = false) = 0;
  virtual void send_packet_ns(const std::vector<uint8_t> &packet) = 0;
  virtual uint16_t index() const = 0;
  virtual bool operator==(const PortIface &rhs) const = 0;
  virtual std::string name() const = 0;
  virtual std::string get_path() const = 0;
  virtual void set_peer(const std::string &peer) = 0;
  virtual const std::string &peer() const = 0;
  virtual const Guid &uuid() const = 0;
  virtual PortStatus get_status() const = 0;
  virtual PortType get_type() const = 0;
  virtual void set_conf(const nlohmann::json &conf) = 0;
  virtual nlohmann::json to_json() const = 0;
  virtual void subscribe_peer_parameter(const std::string &param_name, ParameterEventCallback &callback) = 0;
  virtual void unsubscribe_peer_parameter(const std::string &param_name) = 0;
  virtual void set_peer_parameter(const std::string &param_name, const std::string &value) = 0;
};
}  // namespace polycube::service
