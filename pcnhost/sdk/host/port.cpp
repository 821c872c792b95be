#include "port.h"

#include <stdexcept>
#include <utility>

#include "cube.h"

namespace pcnhost {

using namespace polycube::service;

HostPort::HostPort(std::shared_ptr<Host> host, const HostCube &cube, const std::string &name,
                   const nlohmann::json &added)
    : host_(std::move(host)),
      cube_(cube.handle()),
      cube_name_(cube.get_name()),
      type_(cube.get_type() == CubeType::TC ? PortType::TC : PortType::XDP),
      name_(name),
      index_(added.at("index").get<uint16_t>()),
      uuid_(added.at("uuid").get<std::string>()) {}

nlohmann::json HostPort::call(const char *method) const {
  return host_->call(cube_, method, nlohmann::json::array({name_}));
}

void HostPort::send_packet_out(const std::vector<uint8_t> &packet, bool recirculate) {
  host_->send_packet(cube_, name_, packet, recirculate);
}

void HostPort::send_packet_ns(const std::vector<uint8_t> &) {
  throw std::runtime_error("namespaces of shadow cubes are not supported by this host");
}

uint16_t HostPort::index() const { return index_; }
bool HostPort::operator==(const PortIface &other) const { return uuid_ == other.uuid(); }
std::string HostPort::name() const { return name_; }
std::string HostPort::get_path() const { return cube_name_ + ":" + name_; }
const Guid &HostPort::uuid() const { return uuid_; }
PortType HostPort::get_type() const { return type_; }

void HostPort::set_peer(const std::string &peer) {
  host_->call(cube_, "port_set_peer", nlohmann::json::array({name_, peer}));
}

const std::string &HostPort::peer() const {
  auto peer = call("port_peer").get<std::string>();
  std::lock_guard<std::mutex> guard(mutex_);
  return *peers_.insert(std::move(peer)).first;
}

PortStatus HostPort::get_status() const {
  return call("port_status").get<std::string>() == "UP" ? PortStatus::UP : PortStatus::DOWN;
}

void HostPort::set_conf(const nlohmann::json &conf) {
  host_->call(cube_, "port_set_conf", nlohmann::json::array({name_, conf}));
}

nlohmann::json HostPort::to_json() const { return call("port_to_json"); }

void HostPort::subscribe_peer_parameter(const std::string &, ParameterEventCallback &) {
  throw std::runtime_error("parameters of a peer are not supported by this host");
}

void HostPort::unsubscribe_peer_parameter(const std::string &) {
  throw std::runtime_error("parameters of a peer are not supported by this host");
}

void HostPort::set_peer_parameter(const std::string &, const std::string &) {
  throw std::runtime_error("parameters of a peer are not supported by this host");
}

}  // namespace pcnhost
