#pragma once
#include <tins/ethernetII.h>

#include <memory>
#include <string>

#include "cube_iface.h"
#include "port_iface.h"

namespace polycube::service {
class Port {
 public:
  explicit Port(std::shared_ptr<PortIface> port);

  void send_packet_out(Tins::EthernetII &packet, bool recirculate = false);
  void send_packet_ns(Tins::EthernetII &packet);
  int index() const;
  std::string name() const;
  std::string getName() const;
  void set_peer(const std::string &peer);
  const std::string &peer() const;
  const Guid &uuid() const;
  PortStatus get_status() const;
  PortType get_type() const;
  virtual void set_conf(const nlohmann::json &conf);
  virtual nlohmann::json to_json() const;
  void subscribe_peer_parameter(const std::string &param_name, ParameterEventCallback &callback);
  void unsubscribe_peer_parameter(const std::string &param_name);
  void set_peer_parameter(const std::string &param_name, const std::string &value);

 private:
  std::shared_ptr<PortIface> port_;
};
}  // namespace polycube::service
