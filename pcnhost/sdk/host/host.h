// The border to Python, from the C++ side: a table of C functions that the daemon sets, and what is built on
// it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "polycube/services/cube_iface.h"
#include "polycube/services/json.hpp"

namespace pcnhost {

using Handle = uint64_t;  // of a cube; 0 names none

// Filled in by pcnhost/bridge.py, which declares the same layout. The functions must not let an exception
// out.
struct HostCalls {
  // Runs `method` on a cube. `arguments` is a JSON array. Hands the result (JSON), or the text of an error,
  // to pcnhost_reply(reply, ...) and returns 0 or -1.
  int (*call)(Handle cube, const char *method, const char *arguments, void *reply);
  // File descriptor of a map, -1 when there is none of that name.
  int (*table_fd)(Handle cube, const char *table, int index, int egress);
  // As `call`, without a result.
  int (*send_packet)(Handle cube, const char *port, const void *packet, std::size_t length, int recirculate,
                     void *reply);
};

// Writes a line of a service to the log; an atomic pointer, NULL before the daemon has set it and at its end.
using LogFunction = void(const char *name, int level, const char *text, std::size_t length);
std::atomic<LogFunction *> &log_function();

class Host {
 public:
  explicit Host(const HostCalls &calls) : calls_(calls) {}

  // Throw runtime_error with the host's text, or "the host has closed this service" after close().
  nlohmann::json call(Handle cube, const char *method, const nlohmann::json &arguments) const;
  int table_fd(Handle cube, const std::string &table, int index, bool egress) const;
  void send_packet(Handle cube, const std::string &port, const std::vector<uint8_t> &packet,
                   bool recirculate) const;

  // From here on no function of the table is entered: Python may be gone when a service's destructors run at
  // exit.
  void close() { open_ = false; }

 private:
  void require_open() const;

  const HostCalls calls_;
  std::atomic<bool> open_{true};
};

}  // namespace pcnhost
