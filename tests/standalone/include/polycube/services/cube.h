#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base_cube.h"
#include "port.h"
#include "utils.h"

namespace polycube::service {
template <class PortType>
class Cube : public BaseCube {
 public:
  Cube(const nlohmann::json &conf, const std::vector<std::string> &ingress_code,
       const std::vector<std::string> &egress_code);
  virtual ~Cube();

  template <class PortConf>
  std::shared_ptr<PortType> add_port(const std::string &name, const PortConf &conf);
  void remove_port(const std::string &name);
  std::shared_ptr<PortType> get_port(const std::string &name);
  std::shared_ptr<PortType> get_port(int index);
  std::vector<std::shared_ptr<PortType>> get_ports() const;
  virtual void packet_in(PortType &port, PacketInMetadata &md, const std::vector<uint8_t> &packet) = 0;
  void set_conf(const nlohmann::json &conf);
  nlohmann::json to_json() const;
  const bool get_shadow() const;
  const bool get_span() const;
  void set_span(const bool value);
  const std::string get_veth_name_from_index(const int ifindex);
};
}  // namespace polycube::service
