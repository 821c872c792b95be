#pragma once
#include <string>

namespace polycube {
enum class LogLevel { TRACE = 0, DEBUG = 1, INFO = 2, WARN = 3, ERR = 4, CRITICAL = 5, OFF = 6 };
std::string logLevelString(LogLevel l);
LogLevel stringLogLevel(const std::string &level);
}  // namespace polycube
