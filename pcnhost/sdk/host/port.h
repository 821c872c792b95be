#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "host.h"
#include "polycube/services/port_iface.h"

namespace pcnhost {

class HostCube;

// A port of the engine, as a service sees it. Named by its cube's handle and its own name.
class HostPort final : public polycube::service::PortIface {
 public:
  // `added` is the host's answer to add_port: index, uuid.
  HostPort(std::shared_ptr<Host> host, const HostCube &cube, const std::string &name,
           const nlohmann::json &added);

  void send_packet_out(const std::vector<uint8_t> &packet, bool recirculate) override;
  void send_packet_ns(const std::vector<uint8_t> &packet) override;
  uint16_t index() const override;
  bool operator==(const polycube::service::PortIface &other) const override;
  std::string name() const override;
  std::string get_path() const override;
  void set_peer(const std::string &peer) override;
  const std::string &peer() const override;
  const Guid &uuid() const override;
  polycube::service::PortStatus get_status() const override;
  polycube::service::PortType get_type() const override;
  void set_conf(const nlohmann::json &conf) override;
  nlohmann::json to_json() const override;
  void subscribe_peer_parameter(const std::string &parameter,
                                polycube::service::ParameterEventCallback &callback) override;
  void unsubscribe_peer_parameter(const std::string &parameter) override;
  void set_peer_parameter(const std::string &parameter, const std::string &value) override;

 private:
  nlohmann::json call(const char *method) const;

  const std::shared_ptr<Host> host_;
  const Handle cube_;
  const std::string cube_name_;
  const polycube::service::PortType type_;
  const std::string name_;
  const uint16_t index_;
  const Guid uuid_;

  mutable std::mutex mutex_;
  mutable std::set<std::string> peers_;  // every answer of peer(), which hands out references
};

}  // namespace pcnhost
