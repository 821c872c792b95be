#include "Ports.h"

#include <atomic>
#include <random>

#include "Ipv4.h"

namespace k8slbrp {
namespace {

// Starts at random, because sessions may outlive the process that numbered their ports.
uint32_t next_generation() {
  static std::atomic<uint32_t> generation{std::random_device{}()};
  return ++generation;
}

}  // namespace

Ports::Ports(polycube::service::Cube<Ports> &, std::shared_ptr<polycube::service::PortIface> host,
             const PortState &state)
    : Port(host), type_(state.type), ip_(state.ip), generation_(next_generation()) {}

PortsConfig Ports::config() const {
  PortsConfig config;
  config.base = to_json();
  config.name = name();
  config.type = type_;
  config.ip = ip_ == 0 ? "" : format_ipv4(ip_);
  return config;
}

PortState Ports::state() const { return {type_, ip_, peer(), false, {}}; }

void Ports::set_role(const PortState &state) {
  type_ = state.type;
  ip_ = state.ip;
}

}  // namespace k8slbrp
