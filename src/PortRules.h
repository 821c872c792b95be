// Which ports a cube may have, by its mode; and the changes requests ask for, checked against that.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "Ports.h"
#include "config.h"

namespace k8slbrp {

using PortSet = std::map<std::string, PortState>;  // by name

// Each returns the whole set of ports as it is to be after the request, or throws.
PortSet create_ports(PortMode mode, PortSet ports, const std::vector<PortsConfig> &configs);
PortSet replace_port(PortMode mode, PortSet ports, const PortsConfig &config);
PortSet replace_all_ports(PortMode mode, const std::vector<PortsConfig> &configs);
PortSet update_ports(PortMode mode, PortSet ports, const std::vector<PortsConfig> &configs);
PortSet remove_port(PortSet ports, const std::string &name);

// Throws when a port of this cube is to be its own peer.
void check_peers(const std::string &cube, const PortSet &ports);

}  // namespace k8slbrp
