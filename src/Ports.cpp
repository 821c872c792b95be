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

uint32_t generation_of(const PortState &state) {
  return state.generation == 0 ? next_generation() : state.generation;
}

}  // namespace

Ports::Ports(polycube::service::Cube<Ports> &, std::shared_ptr<polycube::service::PortIface> host,
             const PortState &state)
    : Port(host), type_(state.type), ip_(state.ip), generation_(generation_of(state)) {}

PortsConfig Ports::config() const {
  PortsConfig config;
  config.base = to_json();
  config.name = name();
  config.type = type_;
  config.ip = ip_ == 0 ? "" : format_ipv4(ip_);
  return config;
}

PortState Ports::state() const { return {type_, ip_, peer(), false, {}, generation_, index()}; }

// With another address it is as another port: its sessions are those of the client that was there.
void Ports::set_role(const PortState &state) {
  if (state.type != type_ || state.ip != ip_) generation_ = generation_of(state);
  type_ = state.type;
  ip_ = state.ip;
}

}  // namespace k8slbrp
