#include "logger.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace polycube::service {

extern std::string logfile_;

std::shared_ptr<spdlog::logger> make_logger(const std::string &name, LogLevel level) {
  constexpr std::size_t kFileBytes = 5 * 1024 * 1024;
  constexpr std::size_t kFiles = 3;
  // One sink for all cubes: two of them on one file would rotate it under each other.
  static const auto file =
      std::make_shared<spdlog::sinks::rotating_file_sink_mt>(logfile_, kFileBytes, kFiles);
  static const auto console = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>(name, spdlog::sinks_init_list{file, console});
  logger->set_level(logLevelToSPDLog(level));
  logger->flush_on(spdlog::level::trace);  // whoever follows the file sees every line at once
  return logger;
}

}  // namespace polycube::service
