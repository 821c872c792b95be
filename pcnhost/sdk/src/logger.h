#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

#include "polycube/common.h"

namespace polycube::service {

// A logger whose lines go to the host.
std::shared_ptr<spdlog::logger> make_logger(const std::string &name, LogLevel level);

}  // namespace polycube::service
