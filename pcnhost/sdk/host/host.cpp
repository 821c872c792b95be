#include "host.h"

#include <stdexcept>

namespace pcnhost {

std::atomic<LogFunction *> &log_function() {
  static std::atomic<LogFunction *> function{nullptr};
  return function;
}

void Host::require_open() const {
  if (!open_) throw std::runtime_error("the host has closed this service");
}

nlohmann::json Host::call(Handle cube, const char *method, const nlohmann::json &arguments) const {
  require_open();
  std::string reply;
  // Program text may hold bytes that are not UTF-8, say in a comment.
  std::string text = arguments.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (calls_.call(cube, method, text.c_str(), &reply) != 0) throw std::runtime_error(reply);
  return nlohmann::json::parse(reply);
}

int Host::table_fd(Handle cube, const std::string &table, int index, bool egress) const {
  require_open();
  return calls_.table_fd(cube, table.c_str(), index, egress);
}

void Host::send_packet(Handle cube, const std::string &port, const std::vector<uint8_t> &packet,
                       bool recirculate) const {
  require_open();
  std::string reply;
  if (calls_.send_packet(cube, port.c_str(), packet.data(), packet.size(), recirculate, &reply) != 0)
    throw std::runtime_error(reply);
}

}  // namespace pcnhost
