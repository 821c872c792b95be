#include "Ratelimiter.h"

#include <polycube/services/table.h>

#include "datapath.h"
#include "limits.h"

namespace ratelimiter {
namespace {

constexpr size_t kMaxPorts = 2;

ServiceError no_port(const std::string &name) { return missing("Port " + name + " does not exist"); }

void add(PortStates &states, const PortsConfig &entry) {
  if (!states.emplace(entry.name, PortState{entry}).second)
    throw already_exists("Port " + entry.name + " already exists");
}

void change(PortStates &states, const PortsConfig &entry) {
  const auto found = states.find(entry.name);
  if (found == states.end()) throw no_port(entry.name);
  if (entry.rate) found->second.rate = entry.rate;
  if (entry.burst) found->second.burst = entry.burst;
  if (entry.base.count("peer")) found->second.base["peer"] = entry.base["peer"];
}

}  // namespace

std::shared_ptr<CubeApi> make_cube(const CubeConfig &config) { return std::make_shared<Ratelimiter>(config); }

Ratelimiter::Ratelimiter(const CubeConfig &config) : Cube(config.base, {datapath}, {}) {
  create_ports(config.ports);
}

CubeConfig Ratelimiter::read() {
  CubeConfig config;
  config.name = get_name();
  return config;  // a cube has no leaves of its own
}

void Ratelimiter::update(const CubeConfig &config) {
  if (!config.ports.empty()) update_ports(config.ports);
  set_conf(config.base);
}

// --- ports ---

PortsConfig Ratelimiter::read_ports(const PortsKey &key) {
  const std::lock_guard lock(mutex_);
  if (states().count(key.name) == 0) throw no_port(key.name);
  return describe(*get_port(key.name));
}

void Ratelimiter::read_ports_list(const Show<PortsConfig> &show) {
  for (const auto &port : describe_all()) show(port);
}

void Ratelimiter::create_ports(const std::vector<PortsConfig> &entries) {
  const std::lock_guard lock(mutex_);
  PortStates wanted = states();
  for (const auto &entry : entries) add(wanted, entry);
  transition(wanted);
}

void Ratelimiter::replace_ports(const PortsConfig &entry) {
  const std::lock_guard lock(mutex_);
  PortStates wanted = states();
  wanted[entry.name] = PortState{entry};
  transition(wanted);
}

void Ratelimiter::replace_ports_list(const std::vector<PortsConfig> &entries) {
  const std::lock_guard lock(mutex_);
  PortStates wanted;
  for (const auto &entry : entries) add(wanted, entry);
  transition(wanted);
}

void Ratelimiter::update_ports(const std::vector<PortsConfig> &entries) {
  const std::lock_guard lock(mutex_);
  PortStates wanted = states();
  for (const auto &entry : entries) change(wanted, entry);
  transition(wanted);
}

void Ratelimiter::delete_ports(const PortsKey &key) {
  const std::lock_guard lock(mutex_);
  PortStates wanted = states();
  if (wanted.erase(key.name) == 0) throw no_port(key.name);
  transition(wanted);
}

void Ratelimiter::delete_ports_list() { replace_ports_list({}); }

std::vector<PortsConfig> Ratelimiter::describe_all() {
  const std::lock_guard lock(mutex_);
  std::vector<PortsConfig> all;
  for (const auto &port : get_ports()) all.push_back(describe(*port));
  return all;
}

PortsConfig Ratelimiter::describe(const RatePort &port) {
  PortsConfig config;
  config.name = port.name();
  config.base = port.to_json();
  config.rate = port.rate;
  config.burst = port.burst;
  config.passed = config.dropped = 0;
  auto counts = get_percpuarray_table<counters>("counters").get(port.index());
  for (const auto &count : counts) {
    *config.passed += count.passed;
    *config.dropped += count.dropped;
  }
  return config;
}

PortStates Ratelimiter::states() const {
  PortStates all;
  for (const auto &port : get_ports()) {
    PortState &state = all[port->name()];
    state.name = port->name();
    state.rate = port->rate;
    state.burst = port->burst;
    state.base = port->to_json();
  }
  return all;
}

// What the host refuses, such as a peer that does not exist, leaves everything as it was.
void Ratelimiter::transition(const PortStates &wanted) {
  if (wanted.size() > kMaxPorts)
    throw bad_value("ports: " + std::to_string(wanted.size()) +
                    " ports are too many, a rate limiter stands between two");
  const PortStates before = states();
  try {
    become(wanted);
  } catch (const std::runtime_error &refusal) {
    become(before);
    throw bad_value(refusal.what());
  }
}

void Ratelimiter::become(const PortStates &wanted) {
  const auto current = get_ports();
  for (const auto &port : current)
    if (!wanted.count(port->name())) remove_port(port->name());
  const PortStates staying = states();
  for (const auto &[name, state] : wanted) {
    if (!staying.count(name)) {
      const auto port = add_port<PortState>(name, state);
      get_percpuarray_table<counters>("counters").set(port->index(), counters{});
      continue;
    }
    const auto port = get_port(name);
    port->rate = *state.rate;
    port->burst = *state.burst;
    const std::string peer = state.base.value("peer", "");
    if (peer != port->peer()) port->set_peer(peer);
  }
  publish_limits();
}

// A new limit starts with a full burst, whatever the old one has promised to packets to come.
void Ratelimiter::publish_limits() {
  auto limits = get_array_table<limit>("limits");
  auto arrivals = get_array_table<uint64_t>("arrivals");
  const auto ports = get_ports();
  for (const auto &port : ports) {
    limit wanted{port->rate, 0, NO_PORT, 0};
    if (port->rate > 0) wanted.tolerance = port->burst * NS_PER_BYTE_AT_1_KBIT / port->rate;
    for (const auto &other : ports)
      if (other != port) wanted.out = other->index();
    const limit present = limits.get(port->index());
    limits.set(port->index(), wanted);
    if (present.rate != wanted.rate || present.tolerance != wanted.tolerance) arrivals.set(port->index(), 0);
  }
}

}  // namespace ratelimiter
