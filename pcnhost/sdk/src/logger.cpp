#include "logger.h"

#include <spdlog/sinks/base_sink.h>

#include <mutex>

#include "host_symbols.h"

// polycubed has no such function: a library that was built for this host must load there, too.
#pragma weak pcnhost_log

namespace polycube::service {

namespace {

// Hands every line to the host, which is the only one to write the log.
class HostSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg &message) override {
    if (pcnhost_log == nullptr) return;
    std::string name(message.logger_name.data(), message.logger_name.size());
    pcnhost_log(name.c_str(), message.level, message.payload.data(), message.payload.size());
  }
  void flush_() override {}
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(const std::string &name, LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<HostSink>());
  logger->set_level(logLevelToSPDLog(level));
  return logger;
}

}  // namespace polycube::service
