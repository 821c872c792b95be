#include "PortRules.h"

#include <arpa/inet.h>

#include "Ipv4.h"
#include "datapath/abi.h"
#include "config.h"

namespace k8slbrp {
namespace {

ServiceError no_port(const std::string &name) { return missing("Port " + name + " does not exist"); }

uint32_t parse_ip(const std::optional<std::string> &text) {
  if (!text || text->empty()) return 0;
  const uint32_t ip = parse_ipv4("ip", *text);
  if (ip == 0) throw bad_value("ip: 0.0.0.0 cannot be the address of a port");
  return ip;
}

void take_peer(PortState &port, const PortsConfig &config) {
  if (config.base.count("peer") == 0) return;
  port.peer = config.base.at("peer").get<std::string>();
  port.connect = true;
}

PortState state_of(const PortsConfig &config) {
  if (!config.type) throw bad_value("type: missing, allowed FRONTEND, BACKEND");
  PortState state;
  state.type = *config.type;
  state.ip = parse_ip(config.ip);
  state.base = config.base;
  take_peer(state, config);
  return state;
}

void check_ip(PortMode mode, const std::string &name, const PortState &port) {
  if (port.type == PortsType::Backend && port.ip != 0)
    throw bad_value("ip: " + format_ipv4(port.ip) + " is not allowed, BACKEND port " + name +
                    " has no address");
  if (port.type == PortsType::Backend) return;
  if (mode == PortMode::Single && port.ip != 0)
    throw bad_value("ip: " + format_ipv4(port.ip) + " is not allowed, the FRONTEND port " + name +
                    " has no address in SINGLE port mode");
  if (mode == PortMode::Multi && port.ip == 0)
    throw bad_value("ip: missing, the FRONTEND port " + name + " needs an IPv4 address in MULTI port mode");
}

void check_frontends(PortMode mode, const PortSet &ports) {
  std::map<uint32_t, std::string> owners;
  for (const auto &[name, port] : ports) {
    if (port.type != PortsType::Frontend) continue;
    const auto [owner, added] = owners.emplace(port.ip, name);
    if (added) continue;
    if (mode == PortMode::Single)
      throw already_exists("there is already a FRONTEND port, only one is allowed in SINGLE port mode");
    throw already_exists("a FRONTEND port with the IP address " + format_ipv4(port.ip) + " already exists (" +
                         owner->second + ")");
  }
}

PortSet checked(PortMode mode, PortSet ports) {
  int backends = 0;
  for (const auto &[name, port] : ports) {
    check_ip(mode, name, port);
    if (port.type == PortsType::Backend && ++backends > 1)
      throw already_exists("there is already a BACKEND port, only one is allowed");
  }
  check_frontends(mode, ports);
  if (ports.size() > MAX_PORTS)
    throw bad_value("ports: " + std::to_string(ports.size()) + " ports are too many, allowed 0.." +
                    std::to_string(MAX_PORTS));
  return ports;
}

}  // namespace

void check_peers(const std::string &cube, const PortSet &ports) {
  for (const auto &[name, port] : ports)
    if (port.peer == cube + ":" + name)  // which would hang polycubed
      throw bad_value("peer: " + port.peer +
                      " is the port itself, allowed: another port, a network interface");
}

PortSet create_ports(PortMode mode, PortSet ports, const std::vector<PortsConfig> &configs) {
  for (const auto &config : configs)
    if (!ports.emplace(config.name, state_of(config)).second)
      throw already_exists("Port " + config.name + " already exists");
  return checked(mode, std::move(ports));
}

PortSet replace_port(PortMode mode, PortSet ports, const PortsConfig &config) {
  ports[config.name] = state_of(config);
  return checked(mode, std::move(ports));
}

PortSet replace_all_ports(PortMode mode, const std::vector<PortsConfig> &configs) {
  return create_ports(mode, {}, configs);
}

PortSet update_ports(PortMode mode, PortSet ports, const std::vector<PortsConfig> &configs) {
  for (const auto &config : configs) {
    const auto found = ports.find(config.name);
    if (found == ports.end()) throw no_port(config.name);
    PortState &port = found->second;
    if (config.type && *config.type != port.type)
      throw bad_value("type: " + to_string(*config.type) + " is not possible, the type of port " +
                      config.name + " cannot be changed, allowed: " + to_string(port.type));
    if (const uint32_t ip = config.ip ? parse_ip(config.ip) : port.ip; ip != port.ip) {
      port.ip = ip;
      port.generation = 0;
    }
    take_peer(port, config);
  }
  return checked(mode, std::move(ports));
}

PortSet remove_port(PortSet ports, const std::string &name) {
  if (ports.erase(name) == 0) throw no_port(name);
  return ports;
}

}  // namespace k8slbrp
