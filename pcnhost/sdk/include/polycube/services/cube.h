// Base of a service's cube class, for standard cubes (those with ports).
#pragma once

#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "polycube/services/base_cube.h"
#include "polycube/services/port.h"
#include "polycube/services/utils.h"

namespace polycube::service {

template <class PortType>
class Cube : public BaseCube {
 public:
  // Creates the cube in the host, with all its programs loaded.
  Cube(const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
       const std::vector<std::string> &egress_code);
  ~Cube() override;

  // Constructs PortType(Cube<PortType> &, std::shared_ptr<PortIface>, const PortConf &); `conf` gives its
  // JSON by getBase().
  template <class PortConf>
  std::shared_ptr<PortType> add_port(const std::string &port_name, const PortConf &conf);
  void remove_port(const std::string &port_name);
  std::shared_ptr<PortType> get_port(const std::string &port_name);
  std::shared_ptr<PortType> get_port(int port_index);
  std::vector<std::shared_ptr<PortType>> get_ports() const;  // sorted by name

  // Slow path. Runs on a thread of the host that serves all cubes, with cube_mutex held: keep it short.
  virtual void packet_in(PortType &port, PacketInMetadata &md, const std::vector<uint8_t> &packet) = 0;

  void set_conf(const nlohmann::json &conf);  // applies `loglevel` only
  nlohmann::json to_json() const;

  bool get_shadow() const;
  bool get_span() const;
  void set_span(const bool value);
  const std::string get_veth_name_from_index(const int ifindex);

 private:
  void deliver(const PacketIn &record, const std::vector<uint8_t> &packet);
  void forget_port(const std::string &port_name);

  std::string name_;
  std::shared_ptr<CubeIface> cube_;  // the one of BaseCube, with its own type
  packet_in_cb handle_packet_in_;
  set_log_level_cb handle_log_level_;
  mutable std::mutex ports_mutex_;  // guards the two maps, never held across a call
  std::map<std::string, std::shared_ptr<PortType>> ports_by_name_;
  std::map<int, std::shared_ptr<PortType>> ports_by_index_;
};

template <class PortType>
Cube<PortType>::Cube(const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
                     const std::vector<std::string> &egress_code)
    : BaseCube(conf, ingress_code, egress_code),
      name_(conf.at("name").get<std::string>()),
      handle_packet_in_(
          [this](const PacketIn *record, const std::vector<uint8_t> &packet) { deliver(*record, packet); }),
      handle_log_level_([this](LogLevel level) { set_control_plane_log_level(level); }) {
  cube_ = factory_->create_cube(conf, ingress_code, egress_code, handle_log_msg, handle_log_level_,
                                handle_packet_in_);
  BaseCube::cube_ = cube_;
}

template <class PortType>
Cube<PortType>::~Cube() {
  dismount();
  factory_->destroy_cube(name_);
}

template <class PortType>
template <class PortConf>
std::shared_ptr<PortType> Cube<PortType>::add_port(const std::string &port_name, const PortConf &conf) {
  auto iface = cube_->add_port(port_name, conf.getBase());  // refuses a name in use
  try {
    auto port = std::make_shared<PortType>(*this, iface, conf);
    {
      std::lock_guard<std::mutex> guard(ports_mutex_);
      ports_by_name_[port_name] = port;
      ports_by_index_[port->index()] = port;
    }
    port->set_conf(conf.getBase());
    return port;
  } catch (...) {
    forget_port(port_name);
    cube_->remove_port(port_name);
    throw;
  }
}

template <class PortType>
void Cube<PortType>::remove_port(const std::string &port_name) {
  std::lock_guard<std::mutex> guard(cube_mutex);
  get_port(port_name);  // throws when there is none
  cube_->remove_port(port_name);
  forget_port(port_name);
}

template <class PortType>
std::shared_ptr<PortType> Cube<PortType>::get_port(const std::string &port_name) {
  std::lock_guard<std::mutex> guard(ports_mutex_);
  auto found = ports_by_name_.find(port_name);
  if (found == ports_by_name_.end()) throw std::runtime_error("Port " + port_name + " does not exist");
  return found->second;
}

template <class PortType>
std::shared_ptr<PortType> Cube<PortType>::get_port(int port_index) {
  std::lock_guard<std::mutex> guard(ports_mutex_);
  auto found = ports_by_index_.find(port_index);
  if (found == ports_by_index_.end())
    throw std::runtime_error("Port id " + std::to_string(port_index) + " does not exist");
  return found->second;
}

template <class PortType>
std::vector<std::shared_ptr<PortType>> Cube<PortType>::get_ports() const {
  std::lock_guard<std::mutex> guard(ports_mutex_);
  std::vector<std::shared_ptr<PortType>> ports;
  for (const auto &entry : ports_by_name_) ports.push_back(entry.second);
  return ports;
}

template <class PortType>
void Cube<PortType>::set_conf(const nlohmann::json &conf) {
  cube_->set_conf(conf);
}

template <class PortType>
nlohmann::json Cube<PortType>::to_json() const {
  return cube_->to_json();
}

template <class PortType>
bool Cube<PortType>::get_shadow() const {
  return cube_->get_shadow();
}

template <class PortType>
bool Cube<PortType>::get_span() const {
  return cube_->get_span();
}

template <class PortType>
void Cube<PortType>::set_span(const bool value) {
  cube_->set_span(value);
}

template <class PortType>
const std::string Cube<PortType>::get_veth_name_from_index(const int ifindex) {
  return cube_->get_veth_name_from_index(ifindex);
}

template <class PortType>
void Cube<PortType>::deliver(const PacketIn &record, const std::vector<uint8_t> &packet) {
  std::lock_guard<std::mutex> guard(cube_mutex);
  if (dismounted_) return;
  PacketInMetadata metadata{
      record.traffic_class, record.reason, {record.metadata[0], record.metadata[1], record.metadata[2]}};
  // The port first, in a statement of its own: there is none before the constructor of the service's class
  // runs, and until then its packet_in() is not yet the one to call.
  auto port = get_port(record.port_id);
  packet_in(*port, metadata, packet);
}

template <class PortType>
void Cube<PortType>::forget_port(const std::string &port_name) {
  std::lock_guard<std::mutex> guard(ports_mutex_);
  auto found = ports_by_name_.find(port_name);
  if (found == ports_by_name_.end()) return;
  ports_by_index_.erase(found->second->index());
  ports_by_name_.erase(found);
}

}  // namespace polycube::service
