// Log levels and small text conversions shared by services and hosts.
#pragma once

#include <spdlog/common.h>

#include <cstddef>
#include <string>

#include "polycube/services/cube_iface.h"
#include "polycube/services/port_iface.h"

namespace polycube {

// True when both texts are equal without regard to letter case (ASCII).
bool iequals(const std::string &a, const std::string &b);

// Upper case name of a level ("TRACE" ... "OFF") and back (any letter case; an unknown name reads as INFO).
std::string logLevelString(LogLevel level);
LogLevel stringLogLevel(const std::string &level);
spdlog::level::level_enum logLevelToSPDLog(LogLevel level);

std::string cube_type_to_string(service::CubeType type);
std::string port_status_to_string(service::PortStatus status);

// Number of values a per-CPU map holds for each key.
std::size_t get_possible_cpu_count();

}  // namespace polycube
