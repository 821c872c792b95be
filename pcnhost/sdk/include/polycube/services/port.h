// Base of a service's port class.
#pragma once

#include <memory>
#include <string>

#include "polycube/services/port_iface.h"

namespace Tins {
class EthernetII;  // <tins/ethernetII.h>
}

namespace polycube::service {

class Port {
 public:
  explicit Port(std::shared_ptr<PortIface> port);

  // Sends a packet to the peer or, recirculated, into this cube as if it had come in by this port.
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

  virtual void set_conf(const nlohmann::json &conf);  // applies `peer` and `tcubes`
  virtual nlohmann::json to_json() const;

  // Parameters of a netdev peer: "MAC", "IP".
  void subscribe_peer_parameter(const std::string &parameter, ParameterEventCallback &callback);
  void unsubscribe_peer_parameter(const std::string &parameter);
  void set_peer_parameter(const std::string &parameter, const std::string &value);

 protected:
  ~Port() = default;  // never deleted through this type: the ABI has no virtual destructor here

 private:
  std::shared_ptr<PortIface> port_;
};

}  // namespace polycube::service
