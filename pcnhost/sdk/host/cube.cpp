#include "cube.h"

#include <bpf/bpf.h>
#include <net/if.h>

#include <stdexcept>
#include <utility>

#include "polycube/common.h"
#include "port.h"

namespace pcnhost {

using namespace polycube::service;

namespace {

const char *direction(ProgramType type) { return type == ProgramType::EGRESS ? "EGRESS" : "INGRESS"; }

CubeType cube_type(const std::string &name) {
  for (CubeType type : {CubeType::XDP_SKB, CubeType::XDP_DRV})
    if (polycube::iequals(name, polycube::cube_type_to_string(type))) return type;
  return CubeType::TC;
}

}  // namespace

HostCube::HostCube(std::shared_ptr<Host> host, const nlohmann::json &created)
    : host_(std::move(host)),
      handle_(created.at("handle").get<Handle>()),
      id_(created.at("id").get<uint32_t>()),
      uuid_(created.at("uuid").get<std::string>()),
      name_(created.at("name").get<std::string>()),
      service_name_(created.at("service-name").get<std::string>()),
      type_(cube_type(created.at("type").get<std::string>())) {}

nlohmann::json HostCube::call(const char *method, const nlohmann::json &arguments) const {
  return host_->call(handle_, method, arguments);
}

void HostCube::reload(const std::string &code, int index, ProgramType type) {
  call("reload", {code, index, direction(type)});
}

int HostCube::add_program(const std::string &code, int index, ProgramType type) {
  return call("add_program", {code, index, direction(type)}).get<int>();
}

void HostCube::del_program(int index, ProgramType type) { call("del_program", {index, direction(type)}); }

CubeType HostCube::get_type() const { return type_; }
const std::string HostCube::get_service_name() const { return service_name_; }
uint32_t HostCube::get_id() const { return id_; }
const Guid &HostCube::uuid() const { return uuid_; }
const std::string HostCube::get_name() const { return name_; }

uint16_t HostCube::get_index(ProgramType type) const {
  return call("index", nlohmann::json::array({direction(type)})).get<uint16_t>();
}

int HostCube::get_table_fd(const std::string &table_name, int index, ProgramType type) {
  return host_->table_fd(handle_, table_name, index, type == ProgramType::EGRESS);
}

const ebpf::TableDesc &HostCube::get_table_desc(const std::string &table_name, int index, ProgramType type) {
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(get_table_fd(table_name, index, type), &info, &size) < 0)
    throw std::runtime_error("Table " + table_name + " does not exist");
  std::lock_guard<std::mutex> guard(mutex_);
  auto &desc = table_descs_[{table_name, index, type}];
  desc = {table_name, static_cast<int>(info.type), info.key_size, info.value_size, info.max_entries};
  return desc;
}

void HostCube::set_log_level(polycube::LogLevel level) {
  call("set_log_level", nlohmann::json::array({polycube::logLevelString(level)}));
}

polycube::LogLevel HostCube::get_log_level() const {
  return polycube::stringLogLevel(call("loglevel").get<std::string>());
}

void HostCube::set_conf(const nlohmann::json &conf) { call("set_conf", nlohmann::json::array({conf})); }

nlohmann::json HostCube::to_json() const { return call("to_json"); }

std::shared_ptr<PortIface> HostCube::add_port(const std::string &name, const nlohmann::json &conf) {
  auto added = call("add_port", nlohmann::json::array({name, conf}));
  auto port = std::make_shared<HostPort>(host_, *this, name, added);
  std::lock_guard<std::mutex> guard(mutex_);
  ports_[name] = port;
  return port;
}

void HostCube::remove_port(const std::string &name) {
  call("remove_port", nlohmann::json::array({name}));
  std::lock_guard<std::mutex> guard(mutex_);
  ports_.erase(name);
}

std::shared_ptr<PortIface> HostCube::get_port(const std::string &name) {
  std::lock_guard<std::mutex> guard(mutex_);
  auto found = ports_.find(name);
  if (found == ports_.end()) throw std::runtime_error("Port " + name + " does not exist");
  return found->second;
}

void HostCube::update_forwarding_table(uint16_t, uint32_t, bool) {
  throw std::runtime_error("the forwarding table of a cube belongs to this host");
}

bool HostCube::get_shadow() const { return call("shadow").get<bool>(); }
bool HostCube::get_span() const { return call("span").get<bool>(); }

void HostCube::set_span(const bool value) { call("set_span", nlohmann::json::array({value})); }

const std::string HostCube::get_veth_name_from_index(const int ifindex) {
  char name[IF_NAMESIZE];
  if (!if_indextoname(static_cast<unsigned int>(ifindex), name))
    throw std::runtime_error("There is no interface with index " + std::to_string(ifindex));
  return name;
}

}  // namespace pcnhost
