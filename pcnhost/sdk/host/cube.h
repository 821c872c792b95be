#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

#include "host.h"
#include "polycube/services/cube_iface.h"

namespace pcnhost {

class HostPort;

// A cube of the engine, as a service sees it.
class HostCube final : public polycube::service::CubeIface {
 public:
  // `created` is the host's answer to create_cube: handle, id, uuid, name, service-name, type.
  HostCube(std::shared_ptr<Host> host, const nlohmann::json &created);

  Handle handle() const { return handle_; }

  void reload(const std::string &code, int index, polycube::service::ProgramType type) override;
  int add_program(const std::string &code, int index, polycube::service::ProgramType type) override;
  void del_program(int index, polycube::service::ProgramType type) override;
  polycube::service::CubeType get_type() const override;
  const std::string get_service_name() const override;
  uint32_t get_id() const override;
  uint16_t get_index(polycube::service::ProgramType type) const override;
  int get_table_fd(const std::string &table_name, int index, polycube::service::ProgramType type) override;
  const ebpf::TableDesc &get_table_desc(const std::string &table_name, int index,
                                        polycube::service::ProgramType type) override;
  void set_log_level(polycube::LogLevel level) override;
  polycube::LogLevel get_log_level() const override;
  const Guid &uuid() const override;
  const std::string get_name() const override;
  void set_conf(const nlohmann::json &conf) override;
  nlohmann::json to_json() const override;

  std::shared_ptr<polycube::service::PortIface> add_port(const std::string &name,
                                                         const nlohmann::json &conf) override;
  void remove_port(const std::string &name) override;
  std::shared_ptr<polycube::service::PortIface> get_port(const std::string &name) override;
  void update_forwarding_table(uint16_t port, uint32_t next, bool is_netdev) override;
  bool get_shadow() const override;
  bool get_span() const override;
  void set_span(const bool value) override;
  const std::string get_veth_name_from_index(const int ifindex) override;

 private:
  nlohmann::json call(const char *method, const nlohmann::json &arguments = nlohmann::json::array()) const;

  const std::shared_ptr<Host> host_;
  const Handle handle_;
  const uint32_t id_;
  const Guid uuid_;
  const std::string name_;
  const std::string service_name_;
  const polycube::service::CubeType type_;

  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<HostPort>> ports_;
  std::map<std::tuple<std::string, int, polycube::service::ProgramType>, ebpf::TableDesc> table_descs_;
};

}  // namespace pcnhost
