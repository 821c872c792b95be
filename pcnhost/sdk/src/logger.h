#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>

#include "polycube/common.h"

namespace polycube::service {

// A logger that writes to `logfile_` and to stdout. Throws spdlog_ex when the file cannot be opened.
std::shared_ptr<spdlog::logger> make_logger(const std::string &name, LogLevel level);

}  // namespace polycube::service
