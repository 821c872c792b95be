#include "polycube/common.h"

#include <strings.h>

#include <array>

#include "polycube/services/table.h"

namespace polycube {

namespace {

struct LevelName {
  LogLevel level;
  const char *name;
  spdlog::level::level_enum spdlog;
};

constexpr std::array<LevelName, 7> kLevels = {{
    {LogLevel::TRACE, "TRACE", spdlog::level::trace},
    {LogLevel::DEBUG, "DEBUG", spdlog::level::debug},
    {LogLevel::INFO, "INFO", spdlog::level::info},
    {LogLevel::WARN, "WARN", spdlog::level::warn},
    {LogLevel::ERR, "ERR", spdlog::level::err},
    {LogLevel::CRITICAL, "CRITICAL", spdlog::level::critical},
    {LogLevel::OFF, "OFF", spdlog::level::off},
}};

const LevelName &entry(LogLevel level) {
  for (const auto &candidate : kLevels)
    if (candidate.level == level) return candidate;
  return entry(LogLevel::INFO);
}

}  // namespace

bool iequals(const std::string &a, const std::string &b) { return strcasecmp(a.c_str(), b.c_str()) == 0; }

std::string logLevelString(LogLevel level) { return entry(level).name; }

LogLevel stringLogLevel(const std::string &level) {
  for (const auto &candidate : kLevels)
    if (iequals(level, candidate.name)) return candidate.level;
  return LogLevel::INFO;
}

spdlog::level::level_enum logLevelToSPDLog(LogLevel level) { return entry(level).spdlog; }

std::string cube_type_to_string(service::CubeType type) {
  switch (type) {
    case service::CubeType::XDP_SKB:
      return "XDP_SKB";
    case service::CubeType::XDP_DRV:
      return "XDP_DRV";
    default:
      return "TC";
  }
}

std::string port_status_to_string(service::PortStatus status) {
  return status == service::PortStatus::UP ? "UP" : "DOWN";
}

std::size_t get_possible_cpu_count() { return ebpf::BPFTable::get_possible_cpu_count(); }

}  // namespace polycube
