// The cube: what REST asks of it, brought to the host's ports and to the maps of the datapath.
#pragma once

#include <polycube/services/cube.h>
#include <polycube/services/port.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api.h"

namespace ratelimiter {

// What a port is to be; the host reads `peer` in the JSON.
struct PortState : PortsConfig {
  const nlohmann::json &getBase() const { return base; }
};
using PortStates = std::map<std::string, PortState>;

class RatePort : public polycube::service::Port {
 public:
  RatePort(polycube::service::Cube<RatePort> &, std::shared_ptr<polycube::service::PortIface> host,
           const PortState &state)
      : Port(std::move(host)), rate(*state.rate), burst(*state.burst) {}

  uint32_t rate, burst;
};

// REST calls come in several threads. `mutex_` lets them through one by one.
class Ratelimiter final : public CubeApi, public polycube::service::Cube<RatePort> {
 public:
  explicit Ratelimiter(const CubeConfig &config);
  ~Ratelimiter() override { dismount(); }

  CubeConfig read() override;
  nlohmann::json read_base() override { return to_json(); }
  void update(const CubeConfig &config) override;

  PortsConfig read_ports(const PortsKey &key) override;
  void read_ports_list(const Show<PortsConfig> &show) override;
  void create_ports(const std::vector<PortsConfig> &entries) override;
  void replace_ports(const PortsConfig &entry) override;
  void replace_ports_list(const std::vector<PortsConfig> &entries) override;
  void update_ports(const std::vector<PortsConfig> &entries) override;
  void delete_ports(const PortsKey &key) override;
  void delete_ports_list() override;

  void packet_in(RatePort &, polycube::service::PacketInMetadata &, const std::vector<uint8_t> &) override {}

 private:
  PortStates states() const;
  void transition(const PortStates &wanted);
  void become(const PortStates &wanted);
  void publish_limits();
  std::vector<PortsConfig> describe_all();
  PortsConfig describe(const RatePort &port);

  std::mutex mutex_;
};

}  // namespace ratelimiter
