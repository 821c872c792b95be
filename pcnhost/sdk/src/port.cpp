#include "polycube/services/port.h"

#include <tins/ethernetII.h>

#include <utility>

namespace polycube::service {

Port::Port(std::shared_ptr<PortIface> port) : port_(std::move(port)) {}

void Port::send_packet_out(Tins::EthernetII &packet, bool recirculate) {
  port_->send_packet_out(packet.serialize(), recirculate);
}

void Port::send_packet_ns(Tins::EthernetII &packet) { port_->send_packet_ns(packet.serialize()); }

int Port::index() const { return port_->index(); }
std::string Port::name() const { return port_->name(); }
std::string Port::getName() const { return port_->name(); }
void Port::set_peer(const std::string &peer) { port_->set_peer(peer); }
const std::string &Port::peer() const { return port_->peer(); }
const Guid &Port::uuid() const { return port_->uuid(); }
PortStatus Port::get_status() const { return port_->get_status(); }
PortType Port::get_type() const { return port_->get_type(); }
void Port::set_conf(const nlohmann::json &conf) { port_->set_conf(conf); }
nlohmann::json Port::to_json() const { return port_->to_json(); }

void Port::subscribe_peer_parameter(const std::string &parameter, ParameterEventCallback &callback) {
  port_->subscribe_peer_parameter(parameter, callback);
}

void Port::unsubscribe_peer_parameter(const std::string &parameter) {
  port_->unsubscribe_peer_parameter(parameter);
}

void Port::set_peer_parameter(const std::string &parameter, const std::string &value) {
  port_->set_peer_parameter(parameter, value);
}

}  // namespace polycube::service
