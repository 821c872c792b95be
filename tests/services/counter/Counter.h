// The control plane of the test service.
#pragma once

#include <polycube/services/cube.h>

#include <atomic>
#include <string>
#include <vector>

using polycube::service::PacketInMetadata;

// JSON of a port, in the form in which libpolycube wants it.
class PortConf {
 public:
  explicit PortConf(nlohmann::json base) : base_(std::move(base)) {}
  nlohmann::json getBase() const { return base_; }

 private:
  nlohmann::json base_;
};

class CounterPort : public polycube::service::Port {
 public:
  CounterPort(polycube::service::Cube<CounterPort> &parent,
              std::shared_ptr<polycube::service::PortIface> port, const PortConf &conf);
};

class Counter : public polycube::service::Cube<CounterPort> {
 public:
  // `conf`: name, type, loglevel, shadow, span, step and perhaps ports.
  explicit Counter(const nlohmann::json &conf);
  ~Counter() override;

  void update(const nlohmann::json &conf);
  nlohmann::json read();

  void create_port(const nlohmann::json &conf);
  nlohmann::json read_ports() const;

  uint16_t step();
  void set_step(uint16_t step);
  uint32_t echoes() const { return echoes_; }
  uint64_t total(uint32_t port);
  nlohmann::json totals();

  uint64_t reset();
  void swap(bool drop);
  int add_dropper();

  void packet_in(CounterPort &port, PacketInMetadata &md, const std::vector<uint8_t> &packet) override;

 private:
  std::atomic<uint32_t> echoes_{0};
};
