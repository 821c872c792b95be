// Packets that come while a cube is under construction: each finds no port yet or the whole cube. Built with
// ThreadSanitizer, which tells at once what would rarely go wrong, and ends the program with an exit status of
// its own.
#include <polycube/services/cube.h>
#include <polycube/services/port.h>

#include <atomic>
#include <thread>

#include "events.h"
#include "factory.h"

using namespace polycube::service;
using nlohmann::json;

namespace polycube::service {
CubeFactory *factory_;
std::string logfile_ = "/dev/null";
}  // namespace polycube::service

namespace {

constexpr int kCubes = 200;

struct ProbePort : Port {
  template <class Conf>
  ProbePort(Cube<ProbePort> &, std::shared_ptr<PortIface> port, const Conf &) : Port(std::move(port)) {}
};

struct PortConf {
  json getBase() const { return json::object(); }
};

std::atomic<pcnhost::EventId> newest{0};

// A host without a datapath.
int call(pcnhost::Handle, const char *method, const char *arguments, void *reply) {
  json answer;
  if (std::string(method) == "create_cube") {
    answer = {{"handle", 1}, {"id", 1}, {"uuid", ""}, {"name", "c"}, {"service-name", ""}, {"type", "TC"}};
    newest = json::parse(arguments).at(3).get<pcnhost::EventId>();
  } else if (std::string(method) == "add_port") {
    answer = {{"index", 0}, {"uuid", ""}};
  }
  *static_cast<std::string *>(reply) = answer.dump();
  return 0;
}

class Probe final : public Cube<ProbePort> {
 public:
  Probe() : Cube({{"name", "c"}, {"loglevel", "OFF"}}, {}, {}) { add_port<PortConf>("p", {}); }
  ~Probe() override { dismount(); }

  void packet_in(ProbePort &, PacketInMetadata &, const std::vector<uint8_t> &) override { ++packets; }

  std::atomic<int> packets{0};
};

void deliver_until(const std::atomic<bool> &done) {
  const PacketIn record{};
  while (!done) {
    auto sink = pcnhost::event_sinks().find(newest);
    if (!sink) continue;
    try {
      sink->packet_in(record, {});
    } catch (const std::runtime_error &) {  // no port yet
    }
  }
}

}  // namespace

int main() {
  pcnhost::HostCalls calls{};
  calls.call = call;
  factory_ = new pcnhost::Factory(calls);
  std::atomic<bool> done{false};
  std::thread events(deliver_until, std::cref(done));
  for (int i = 0; i < kCubes; ++i) {
    Probe probe;
    while (probe.packets == 0) std::this_thread::yield();
  }
  done = true;
  events.join();
}
