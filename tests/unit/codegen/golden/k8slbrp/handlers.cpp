// Generated from k8slbrp.yang by codegen. Do not edit.
//
// Every symbol the host looks up. The libpolycube globals are defined here, too.
#include <polycube/services/cube_factory.h>
#pragma GCC visibility push(default)
#include <polycube/services/shared_library.h>
#pragma GCC visibility pop

#include "api.h"
#include "data_model.h"
#include "dispatch.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define READ(symbol, reply)                                                              \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count) {              \
    return codegen::answer([&] {                                                         \
      const codegen::Request request{cube ? cube : "", codegen::Keys(keys, count), {}};  \
      return reply;                                                                      \
    });                                                                                  \
  }

#define WRITE(symbol, reply)                                                                    \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count, const char *body) {   \
    return codegen::answer([&] {                                                                \
      const codegen::Request request{cube ? cube : "", codegen::Keys(keys, count),              \
                                     nlohmann::json::parse(body)};                              \
      return reply;                                                                             \
    });                                                                                         \
  }

namespace codegen {

template <>
k8slbrp::PortsKey key_from<k8slbrp::PortsKey>(const Keys &keys) {
  return {keys.text("ports_name")};
}

template <>
k8slbrp::ServiceBackendKey key_from<k8slbrp::ServiceBackendKey>(const Keys &keys) {
  return {keys.text("ip")};
}

template <>
k8slbrp::ServiceSourceRangeKey key_from<k8slbrp::ServiceSourceRangeKey>(const Keys &keys) {
  return {keys.text("address"), keys.number<uint8_t>("prefix-length")};
}

template <>
k8slbrp::ServiceKey key_from<k8slbrp::ServiceKey>(const Keys &keys) {
  return {keys.text("vip"), keys.number<uint16_t>("vport"), keys.choice("proto", k8slbrp::service_proto_from_string)};
}

}  // namespace codegen

namespace k8slbrp {
namespace {

constexpr auto kPorts = [] {
  codegen::ListTable<CubeApi, PortsConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.parse = ports_config_from_json;
  table.parse_list = ports_list_from_json;
  table.read = &CubeApi::read_ports;
  table.read_list = &CubeApi::read_ports_list;
  table.create = &CubeApi::create_ports;
  table.replace = &CubeApi::replace_ports;
  table.replace_list = &CubeApi::replace_ports_list;
  table.update = &CubeApi::update_ports;
  table.remove = &CubeApi::delete_ports;
  table.remove_list = &CubeApi::delete_ports_list;
  return table;
}();

constexpr auto kSrcIpRewrite = [] {
  codegen::ContainerTable<CubeApi, SrcIpRewriteConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.parse = src_ip_rewrite_config_from_json;
  table.read = &CubeApi::read_src_ip_rewrite;
  table.replace = &CubeApi::replace_src_ip_rewrite;
  table.update = &CubeApi::update_src_ip_rewrite;
  table.remove = &CubeApi::delete_src_ip_rewrite;
  return table;
}();

constexpr auto kServiceBackend = [] {
  codegen::ListTable<CubeApi, ServiceBackendConfig, codegen::Pack<ServiceKey>, codegen::Pack<>> table;
  table.parse = service_backend_config_from_json;
  table.parse_list = service_backend_list_from_json;
  table.read = &CubeApi::read_service_backend;
  table.read_list = &CubeApi::read_service_backend_list;
  table.create = &CubeApi::create_service_backend;
  table.replace = &CubeApi::replace_service_backend;
  table.replace_list = &CubeApi::replace_service_backend_list;
  table.update = &CubeApi::update_service_backend;
  table.remove = &CubeApi::delete_service_backend;
  table.remove_list = &CubeApi::delete_service_backend_list;
  return table;
}();

constexpr auto kServiceSourceRange = [] {
  codegen::ListTable<CubeApi, ServiceSourceRangeConfig, codegen::Pack<ServiceKey>, codegen::Pack<>> table;
  table.parse = service_source_range_config_from_json;
  table.parse_list = service_source_range_list_from_json;
  table.read = &CubeApi::read_service_source_range;
  table.read_list = &CubeApi::read_service_source_range_list;
  table.create = &CubeApi::create_service_source_range;
  table.replace = &CubeApi::replace_service_source_range;
  table.replace_list = &CubeApi::replace_service_source_range_list;
  table.update = &CubeApi::update_service_source_range;
  table.remove = &CubeApi::delete_service_source_range;
  table.remove_list = &CubeApi::delete_service_source_range_list;
  return table;
}();

constexpr auto kService = [] {
  codegen::ListTable<CubeApi, ServiceConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.parse = service_config_from_json;
  table.parse_list = service_list_from_json;
  table.read = &CubeApi::read_service;
  table.read_list = &CubeApi::read_service_list;
  table.create = &CubeApi::create_service;
  table.replace = &CubeApi::replace_service;
  table.replace_list = &CubeApi::replace_service_list;
  table.update = &CubeApi::update_service;
  table.remove = &CubeApi::delete_service;
  table.remove_list = &CubeApi::delete_service_list;
  return table;
}();

constexpr auto kTimeouts = [] {
  codegen::ContainerTable<CubeApi, TimeoutsConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.parse = timeouts_config_from_json;
  table.read = &CubeApi::read_timeouts;
  table.replace = &CubeApi::replace_timeouts;
  table.update = &CubeApi::update_timeouts;
  table.remove = &CubeApi::delete_timeouts;
  return table;
}();

// One entry of a list after the other: the cube may be large.
void write_cube(codegen::Text &text, CubeApi &cube) {
  const CubeConfig config = cube.read();
  const nlohmann::json base = cube.read_base();
  codegen::ObjectWriter object(text);
  object.base(base);
  object.required("name", config.name);
  codegen::write_entries(object, "ports", cube, kPorts);
  object.leaf("port_mode", config.port_mode);
  object.container("src-ip-rewrite", config.src_ip_rewrite);
  codegen::write_entries(object, "service", cube, kService);
  object.leaf("max-sessions", config.max_sessions);
  object.leaf("unserved-ports", config.unserved_ports);
  object.container("timeouts", config.timeouts);
  object.end();
}

constexpr auto kCube = [] {
  codegen::CubeTable<CubeApi, CubeConfig> table;
  table.parse = cube_config_from_json;
  table.make = make_cube;
  table.write = write_cube;
  return table;
}();

}  // namespace

EXPORT const char *data_model() { return data_model_text; }

EXPORT Response k8slbrp_list_by_id_help() {
  return codegen::answer([] { return kCube.help(); });
}
WRITE(create_k8slbrp_by_id_handler, kCube.create(request))
WRITE(replace_k8slbrp_by_id_handler, kCube.replace(request))
WRITE(update_k8slbrp_by_id_handler, kCube.update(request))
READ(read_k8slbrp_by_id_handler, kCube.read(request))
READ(delete_k8slbrp_by_id_handler, kCube.remove(request))
READ(read_k8slbrp_list_by_id_handler, kCube.read_list())
WRITE(update_k8slbrp_list_by_id_handler, kCube.update_list(request))
READ(read_k8slbrp_port_mode_by_id_handler, kCube.read_leaf(request, "port_mode"))
WRITE(update_k8slbrp_port_mode_by_id_handler, kCube.update_leaf(request, "port_mode"))
READ(read_k8slbrp_max_sessions_by_id_handler, kCube.read_leaf(request, "max-sessions"))
READ(read_k8slbrp_unserved_ports_by_id_handler, kCube.read_leaf(request, "unserved-ports"))
WRITE(update_k8slbrp_unserved_ports_by_id_handler, kCube.update_leaf(request, "unserved-ports"))
WRITE(create_k8slbrp_ports_by_id_handler, kPorts.create_entry(request))
WRITE(create_k8slbrp_ports_list_by_id_handler, kPorts.create_list(request))
WRITE(replace_k8slbrp_ports_by_id_handler, kPorts.replace_entry(request))
WRITE(replace_k8slbrp_ports_list_by_id_handler, kPorts.replace_entries(request))
WRITE(update_k8slbrp_ports_by_id_handler, kPorts.update_entry(request))
WRITE(update_k8slbrp_ports_list_by_id_handler, kPorts.update_list(request))
READ(read_k8slbrp_ports_by_id_handler, kPorts.read_entry(request))
READ(read_k8slbrp_ports_list_by_id_handler, kPorts.read_entries(request))
READ(delete_k8slbrp_ports_by_id_handler, kPorts.delete_entry(request))
READ(delete_k8slbrp_ports_list_by_id_handler, kPorts.delete_list(request))
READ(k8slbrp_ports_list_by_id_help, kPorts.help(request))
READ(read_k8slbrp_ports_type_by_id_handler, kPorts.read_leaf(request, "type"))
WRITE(update_k8slbrp_ports_type_by_id_handler, kPorts.update_leaf(request, "type"))
READ(read_k8slbrp_ports_ip_by_id_handler, kPorts.read_leaf(request, "ip"))
WRITE(update_k8slbrp_ports_ip_by_id_handler, kPorts.update_leaf(request, "ip"))
WRITE(create_k8slbrp_src_ip_rewrite_by_id_handler, kSrcIpRewrite.replace_all(request))
WRITE(replace_k8slbrp_src_ip_rewrite_by_id_handler, kSrcIpRewrite.replace_all(request))
WRITE(update_k8slbrp_src_ip_rewrite_by_id_handler, kSrcIpRewrite.update_some(request))
READ(read_k8slbrp_src_ip_rewrite_by_id_handler, kSrcIpRewrite.read_all(request))
READ(delete_k8slbrp_src_ip_rewrite_by_id_handler, kSrcIpRewrite.delete_all(request))
READ(read_k8slbrp_src_ip_rewrite_ip_range_by_id_handler, kSrcIpRewrite.read_leaf(request, "ip-range"))
WRITE(update_k8slbrp_src_ip_rewrite_ip_range_by_id_handler, kSrcIpRewrite.update_leaf(request, "ip-range"))
READ(read_k8slbrp_src_ip_rewrite_new_ip_range_by_id_handler, kSrcIpRewrite.read_leaf(request, "new_ip_range"))
WRITE(update_k8slbrp_src_ip_rewrite_new_ip_range_by_id_handler, kSrcIpRewrite.update_leaf(request, "new_ip_range"))
WRITE(create_k8slbrp_service_by_id_handler, kService.create_entry(request))
WRITE(create_k8slbrp_service_list_by_id_handler, kService.create_list(request))
WRITE(replace_k8slbrp_service_by_id_handler, kService.replace_entry(request))
WRITE(replace_k8slbrp_service_list_by_id_handler, kService.replace_entries(request))
WRITE(update_k8slbrp_service_by_id_handler, kService.update_entry(request))
WRITE(update_k8slbrp_service_list_by_id_handler, kService.update_list(request))
READ(read_k8slbrp_service_by_id_handler, kService.read_entry(request))
READ(read_k8slbrp_service_list_by_id_handler, kService.read_entries(request))
READ(delete_k8slbrp_service_by_id_handler, kService.delete_entry(request))
READ(delete_k8slbrp_service_list_by_id_handler, kService.delete_list(request))
READ(k8slbrp_service_list_by_id_help, kService.help(request))
READ(read_k8slbrp_service_name_by_id_handler, kService.read_leaf(request, "name"))
WRITE(update_k8slbrp_service_name_by_id_handler, kService.update_leaf(request, "name"))
READ(read_k8slbrp_service_session_affinity_by_id_handler, kService.read_leaf(request, "session-affinity"))
WRITE(update_k8slbrp_service_session_affinity_by_id_handler, kService.update_leaf(request, "session-affinity"))
READ(read_k8slbrp_service_affinity_timeout_by_id_handler, kService.read_leaf(request, "affinity-timeout"))
WRITE(update_k8slbrp_service_affinity_timeout_by_id_handler, kService.update_leaf(request, "affinity-timeout"))
WRITE(create_k8slbrp_service_backend_by_id_handler, kServiceBackend.create_entry(request))
WRITE(create_k8slbrp_service_backend_list_by_id_handler, kServiceBackend.create_list(request))
WRITE(replace_k8slbrp_service_backend_by_id_handler, kServiceBackend.replace_entry(request))
WRITE(replace_k8slbrp_service_backend_list_by_id_handler, kServiceBackend.replace_entries(request))
WRITE(update_k8slbrp_service_backend_by_id_handler, kServiceBackend.update_entry(request))
WRITE(update_k8slbrp_service_backend_list_by_id_handler, kServiceBackend.update_list(request))
READ(read_k8slbrp_service_backend_by_id_handler, kServiceBackend.read_entry(request))
READ(read_k8slbrp_service_backend_list_by_id_handler, kServiceBackend.read_entries(request))
READ(delete_k8slbrp_service_backend_by_id_handler, kServiceBackend.delete_entry(request))
READ(delete_k8slbrp_service_backend_list_by_id_handler, kServiceBackend.delete_list(request))
READ(k8slbrp_service_backend_list_by_id_help, kServiceBackend.help(request))
READ(read_k8slbrp_service_backend_name_by_id_handler, kServiceBackend.read_leaf(request, "name"))
WRITE(update_k8slbrp_service_backend_name_by_id_handler, kServiceBackend.update_leaf(request, "name"))
READ(read_k8slbrp_service_backend_port_by_id_handler, kServiceBackend.read_leaf(request, "port"))
WRITE(update_k8slbrp_service_backend_port_by_id_handler, kServiceBackend.update_leaf(request, "port"))
READ(read_k8slbrp_service_backend_weight_by_id_handler, kServiceBackend.read_leaf(request, "weight"))
WRITE(update_k8slbrp_service_backend_weight_by_id_handler, kServiceBackend.update_leaf(request, "weight"))
READ(read_k8slbrp_service_backend_state_by_id_handler, kServiceBackend.read_leaf(request, "state"))
WRITE(update_k8slbrp_service_backend_state_by_id_handler, kServiceBackend.update_leaf(request, "state"))
WRITE(create_k8slbrp_service_source_range_by_id_handler, kServiceSourceRange.create_entry(request))
WRITE(create_k8slbrp_service_source_range_list_by_id_handler, kServiceSourceRange.create_list(request))
WRITE(replace_k8slbrp_service_source_range_by_id_handler, kServiceSourceRange.replace_entry(request))
WRITE(replace_k8slbrp_service_source_range_list_by_id_handler, kServiceSourceRange.replace_entries(request))
WRITE(update_k8slbrp_service_source_range_by_id_handler, kServiceSourceRange.update_entry(request))
WRITE(update_k8slbrp_service_source_range_list_by_id_handler, kServiceSourceRange.update_list(request))
READ(read_k8slbrp_service_source_range_by_id_handler, kServiceSourceRange.read_entry(request))
READ(read_k8slbrp_service_source_range_list_by_id_handler, kServiceSourceRange.read_entries(request))
READ(delete_k8slbrp_service_source_range_by_id_handler, kServiceSourceRange.delete_entry(request))
READ(delete_k8slbrp_service_source_range_list_by_id_handler, kServiceSourceRange.delete_list(request))
READ(k8slbrp_service_source_range_list_by_id_help, kServiceSourceRange.help(request))
WRITE(create_k8slbrp_timeouts_by_id_handler, kTimeouts.replace_all(request))
WRITE(replace_k8slbrp_timeouts_by_id_handler, kTimeouts.replace_all(request))
WRITE(update_k8slbrp_timeouts_by_id_handler, kTimeouts.update_some(request))
READ(read_k8slbrp_timeouts_by_id_handler, kTimeouts.read_all(request))
READ(delete_k8slbrp_timeouts_by_id_handler, kTimeouts.delete_all(request))
READ(read_k8slbrp_timeouts_tcp_opening_by_id_handler, kTimeouts.read_leaf(request, "tcp-opening"))
WRITE(update_k8slbrp_timeouts_tcp_opening_by_id_handler, kTimeouts.update_leaf(request, "tcp-opening"))
READ(read_k8slbrp_timeouts_tcp_established_by_id_handler, kTimeouts.read_leaf(request, "tcp-established"))
WRITE(update_k8slbrp_timeouts_tcp_established_by_id_handler, kTimeouts.update_leaf(request, "tcp-established"))
READ(read_k8slbrp_timeouts_tcp_half_closed_by_id_handler, kTimeouts.read_leaf(request, "tcp-half-closed"))
WRITE(update_k8slbrp_timeouts_tcp_half_closed_by_id_handler, kTimeouts.update_leaf(request, "tcp-half-closed"))
READ(read_k8slbrp_timeouts_tcp_closed_by_id_handler, kTimeouts.read_leaf(request, "tcp-closed"))
WRITE(update_k8slbrp_timeouts_tcp_closed_by_id_handler, kTimeouts.update_leaf(request, "tcp-closed"))
READ(read_k8slbrp_timeouts_udp_unanswered_by_id_handler, kTimeouts.read_leaf(request, "udp-unanswered"))
WRITE(update_k8slbrp_timeouts_udp_unanswered_by_id_handler, kTimeouts.update_leaf(request, "udp-unanswered"))
READ(read_k8slbrp_timeouts_udp_answered_by_id_handler, kTimeouts.read_leaf(request, "udp-answered"))
WRITE(update_k8slbrp_timeouts_udp_answered_by_id_handler, kTimeouts.update_leaf(request, "udp-answered"))
READ(read_k8slbrp_timeouts_udp_stream_by_id_handler, kTimeouts.read_leaf(request, "udp-stream"))
WRITE(update_k8slbrp_timeouts_udp_stream_by_id_handler, kTimeouts.update_leaf(request, "udp-stream"))
READ(read_k8slbrp_timeouts_icmp_by_id_handler, kTimeouts.read_leaf(request, "icmp"))
WRITE(update_k8slbrp_timeouts_icmp_by_id_handler, kTimeouts.update_leaf(request, "icmp"))

}  // namespace k8slbrp
