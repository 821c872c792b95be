#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "../common.h"
#include "guid.h"
#include "json.hpp"
#include "port_iface.h"
#include "table_desc.h"

namespace polycube::service {
enum class ProgramType { INGRESS, EGRESS };
enum class Direction { INGRESS, EGRESS };
enum class CubeType { TC, XDP_SKB, XDP_DRV };

class BaseCubeIface {
 public:
  virtual void reload(const std::string &code, int index, ProgramType type) = 0;
  virtual int add_program(const std::string &code, int index, ProgramType type) = 0;
  virtual void del_program(int index, ProgramType type) = 0;
  virtual CubeType get_type() const = 0;
  virtual const std::string get_service_name() const = 0;
  virtual uint32_t get_id() const = 0;
  virtual uint16_t get_index(ProgramType type) const = 0;
  virtual int get_table_fd(const std::string &table_name, int index, ProgramType type) = 0;
  virtual const ebpf::TableDesc &get_table_desc(const std::string &table_name, int index, ProgramType type) = 0;
  virtual void set_log_level(LogLevel level) = 0;
  virtual LogLevel get_log_level() const = 0;
  virtual const Guid &uuid() const = 0;
  virtual const std::string get_name() const = 0;
  virtual void set_conf(const nlohmann::json &conf) = 0;
  virtual nlohmann::json to_json() const = 0;
};

class CubeIface : virtual public BaseCubeIface {
 public:
  virtual std::shared_ptr<PortIface> add_port(const std::string &name, const nlohmann::json &conf) = 0;
  virtual void remove_port(const std::string &name) = 0;
  virtual std::shared_ptr<PortIface> get_port(const std::string &name) = 0;
  virtual void update_forwarding_table(uint16_t port, uint32_t next, bool is_netdev) = 0;
  virtual const bool get_shadow() const = 0;
  virtual const bool get_span() const = 0;
  virtual void set_span(const bool value) = 0;
  virtual const std::string get_veth_name_from_index(const int ifindex) = 0;
};

class TransparentCubeIface;
}  // namespace polycube::service
