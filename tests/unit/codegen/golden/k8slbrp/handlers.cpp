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
  return {keys.text("address"), keys.number<uint8_t>("prefix-length", {{0, 32}})};
}

template <>
k8slbrp::ServiceKey key_from<k8slbrp::ServiceKey>(const Keys &keys) {
  return {keys.text("vip"), keys.number<uint16_t>("vport"), keys.choice("proto", k8slbrp::service_proto_from_string)};
}

template <>
k8slbrp::StatsTableKey key_from<k8slbrp::StatsTableKey>(const Keys &keys) {
  return {keys.text("table_name")};
}

template <>
k8slbrp::StatsServiceBackendKey key_from<k8slbrp::StatsServiceBackendKey>(const Keys &keys) {
  return {keys.text("ip")};
}

template <>
k8slbrp::StatsServiceKey key_from<k8slbrp::StatsServiceKey>(const Keys &keys) {
  return {keys.text("vip"), keys.number<uint16_t>("vport"), keys.choice("proto", k8slbrp::stats_service_proto_from_string)};
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

constexpr auto kServiceBackendStats = [] {
  codegen::ContainerTable<CubeApi, ServiceBackendStatsConfig, codegen::Pack<ServiceKey, ServiceBackendKey>, codegen::Pack<>> table;
  table.read = &CubeApi::read_service_backend_stats;
  return table;
}();

constexpr auto kServiceBackend = [] {
  codegen::ListTable<CubeApi, ServiceBackendConfig, codegen::Pack<ServiceKey>, codegen::Pack<Depth>> table;
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

constexpr auto kServiceStats = [] {
  codegen::ContainerTable<CubeApi, ServiceStatsConfig, codegen::Pack<ServiceKey>, codegen::Pack<>> table;
  table.read = &CubeApi::read_service_stats;
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

constexpr auto kStatsFrontend = [] {
  codegen::ContainerTable<CubeApi, StatsFrontendConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_frontend;
  return table;
}();

constexpr auto kStatsBackend = [] {
  codegen::ContainerTable<CubeApi, StatsBackendConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_backend;
  return table;
}();

constexpr auto kStatsDrops = [] {
  codegen::ContainerTable<CubeApi, StatsDropsConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_drops;
  return table;
}();

constexpr auto kStatsPunts = [] {
  codegen::ContainerTable<CubeApi, StatsPuntsConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_punts;
  return table;
}();

constexpr auto kStatsOther = [] {
  codegen::ContainerTable<CubeApi, StatsOtherConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_other;
  return table;
}();

constexpr auto kStatsSessionsTcp = [] {
  codegen::ContainerTable<CubeApi, StatsSessionsTcpConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_sessions_tcp;
  return table;
}();

constexpr auto kStatsSessionsUdp = [] {
  codegen::ContainerTable<CubeApi, StatsSessionsUdpConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_sessions_udp;
  return table;
}();

constexpr auto kStatsSessionsIcmp = [] {
  codegen::ContainerTable<CubeApi, StatsSessionsIcmpConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_sessions_icmp;
  return table;
}();

constexpr auto kStatsSessions = [] {
  codegen::ContainerTable<CubeApi, StatsSessionsConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.read = &CubeApi::read_stats_sessions;
  return table;
}();

constexpr auto kStatsTable = [] {
  codegen::ListTable<CubeApi, StatsTableConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_table;
  table.read_list = &CubeApi::read_stats_table_list;
  return table;
}();

constexpr auto kStatsServiceBackend = [] {
  codegen::ListTable<CubeApi, StatsServiceBackendConfig, codegen::Pack<StatsServiceKey>, codegen::Pack<>> table;
  table.read = &CubeApi::read_stats_service_backend;
  table.read_list = &CubeApi::read_stats_service_backend_list;
  return table;
}();

constexpr auto kStatsService = [] {
  codegen::ListTable<CubeApi, StatsServiceConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.read = &CubeApi::read_stats_service;
  table.read_list = &CubeApi::read_stats_service_list;
  return table;
}();

constexpr auto kStats = [] {
  codegen::ContainerTable<CubeApi, StatsConfig, codegen::Pack<>, codegen::Pack<Depth>> table;
  table.read = &CubeApi::read_stats;
  return table;
}();

constexpr auto kSessionsFind = [] {
  codegen::ActionTable<CubeApi, SessionsFindInput, codegen::Pack<>> table;
  table.parse = sessions_find_input_from_json;
  table.run = &CubeApi::sessions_find;
  return table;
}();

constexpr auto kSessionsEnd = [] {
  codegen::ActionTable<CubeApi, SessionsEndInput, codegen::Pack<>> table;
  table.parse = sessions_end_input_from_json;
  table.run = &CubeApi::sessions_end;
  return table;
}();

constexpr auto kSessions = [] {
  codegen::ContainerTable<CubeApi, SessionsConfig, codegen::Pack<>, codegen::Pack<>> table;
  table.read = &CubeApi::read_sessions;
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
  object.container("stats", config.stats);
  object.container("sessions", config.sessions);
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
READ(read_k8slbrp_service_backend_stats_by_id_handler, kServiceBackendStats.read_all(request))
READ(read_k8slbrp_service_backend_stats_packets_in_by_id_handler, kServiceBackendStats.read_leaf(request, "packets-in"))
READ(read_k8slbrp_service_backend_stats_bytes_in_by_id_handler, kServiceBackendStats.read_leaf(request, "bytes-in"))
READ(read_k8slbrp_service_backend_stats_packets_out_by_id_handler, kServiceBackendStats.read_leaf(request, "packets-out"))
READ(read_k8slbrp_service_backend_stats_bytes_out_by_id_handler, kServiceBackendStats.read_leaf(request, "bytes-out"))
READ(read_k8slbrp_service_backend_stats_new_sessions_by_id_handler, kServiceBackendStats.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_service_backend_stats_active_sessions_by_id_handler, kServiceBackendStats.read_leaf(request, "active-sessions"))
READ(read_k8slbrp_service_stats_by_id_handler, kServiceStats.read_all(request))
READ(read_k8slbrp_service_stats_packets_in_by_id_handler, kServiceStats.read_leaf(request, "packets-in"))
READ(read_k8slbrp_service_stats_bytes_in_by_id_handler, kServiceStats.read_leaf(request, "bytes-in"))
READ(read_k8slbrp_service_stats_packets_out_by_id_handler, kServiceStats.read_leaf(request, "packets-out"))
READ(read_k8slbrp_service_stats_bytes_out_by_id_handler, kServiceStats.read_leaf(request, "bytes-out"))
READ(read_k8slbrp_service_stats_new_sessions_by_id_handler, kServiceStats.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_service_stats_active_sessions_by_id_handler, kServiceStats.read_leaf(request, "active-sessions"))
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
READ(read_k8slbrp_stats_by_id_handler, kStats.read_all(request))
READ(read_k8slbrp_stats_new_sessions_by_id_handler, kStats.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_stats_resumed_sessions_by_id_handler, kStats.read_leaf(request, "resumed-sessions"))
READ(read_k8slbrp_stats_rejected_by_id_handler, kStats.read_leaf(request, "rejected"))
READ(read_k8slbrp_stats_not_promoted_by_id_handler, kStats.read_leaf(request, "not-promoted"))
READ(read_k8slbrp_stats_frontend_by_id_handler, kStatsFrontend.read_all(request))
READ(read_k8slbrp_stats_frontend_translated_packets_by_id_handler, kStatsFrontend.read_leaf(request, "translated-packets"))
READ(read_k8slbrp_stats_frontend_translated_bytes_by_id_handler, kStatsFrontend.read_leaf(request, "translated-bytes"))
READ(read_k8slbrp_stats_frontend_passed_packets_by_id_handler, kStatsFrontend.read_leaf(request, "passed-packets"))
READ(read_k8slbrp_stats_frontend_passed_bytes_by_id_handler, kStatsFrontend.read_leaf(request, "passed-bytes"))
READ(read_k8slbrp_stats_frontend_slow_path_packets_by_id_handler, kStatsFrontend.read_leaf(request, "slow-path-packets"))
READ(read_k8slbrp_stats_frontend_slow_path_bytes_by_id_handler, kStatsFrontend.read_leaf(request, "slow-path-bytes"))
READ(read_k8slbrp_stats_frontend_dropped_packets_by_id_handler, kStatsFrontend.read_leaf(request, "dropped-packets"))
READ(read_k8slbrp_stats_frontend_dropped_bytes_by_id_handler, kStatsFrontend.read_leaf(request, "dropped-bytes"))
READ(read_k8slbrp_stats_backend_by_id_handler, kStatsBackend.read_all(request))
READ(read_k8slbrp_stats_backend_translated_packets_by_id_handler, kStatsBackend.read_leaf(request, "translated-packets"))
READ(read_k8slbrp_stats_backend_translated_bytes_by_id_handler, kStatsBackend.read_leaf(request, "translated-bytes"))
READ(read_k8slbrp_stats_backend_passed_packets_by_id_handler, kStatsBackend.read_leaf(request, "passed-packets"))
READ(read_k8slbrp_stats_backend_passed_bytes_by_id_handler, kStatsBackend.read_leaf(request, "passed-bytes"))
READ(read_k8slbrp_stats_backend_slow_path_packets_by_id_handler, kStatsBackend.read_leaf(request, "slow-path-packets"))
READ(read_k8slbrp_stats_backend_slow_path_bytes_by_id_handler, kStatsBackend.read_leaf(request, "slow-path-bytes"))
READ(read_k8slbrp_stats_backend_dropped_packets_by_id_handler, kStatsBackend.read_leaf(request, "dropped-packets"))
READ(read_k8slbrp_stats_backend_dropped_bytes_by_id_handler, kStatsBackend.read_leaf(request, "dropped-bytes"))
READ(read_k8slbrp_stats_drops_by_id_handler, kStatsDrops.read_all(request))
READ(read_k8slbrp_stats_drops_malformed_by_id_handler, kStatsDrops.read_leaf(request, "malformed"))
READ(read_k8slbrp_stats_drops_no_port_by_id_handler, kStatsDrops.read_leaf(request, "no-port"))
READ(read_k8slbrp_stats_drops_port_not_ready_by_id_handler, kStatsDrops.read_leaf(request, "port-not-ready"))
READ(read_k8slbrp_stats_drops_fragment_by_id_handler, kStatsDrops.read_leaf(request, "fragment"))
READ(read_k8slbrp_stats_drops_icmp_error_by_id_handler, kStatsDrops.read_leaf(request, "icmp-error"))
READ(read_k8slbrp_stats_drops_rate_limited_by_id_handler, kStatsDrops.read_leaf(request, "rate-limited"))
READ(read_k8slbrp_stats_drops_slow_path_full_by_id_handler, kStatsDrops.read_leaf(request, "slow-path-full"))
READ(read_k8slbrp_stats_drops_source_ports_by_id_handler, kStatsDrops.read_leaf(request, "source-ports"))
READ(read_k8slbrp_stats_drops_table_changed_by_id_handler, kStatsDrops.read_leaf(request, "table-changed"))
READ(read_k8slbrp_stats_drops_no_session_by_id_handler, kStatsDrops.read_leaf(request, "no-session"))
READ(read_k8slbrp_stats_drops_table_busy_by_id_handler, kStatsDrops.read_leaf(request, "table-busy"))
READ(read_k8slbrp_stats_drops_source_range_by_id_handler, kStatsDrops.read_leaf(request, "source-range"))
READ(read_k8slbrp_stats_drops_no_peer_by_id_handler, kStatsDrops.read_leaf(request, "no-peer"))
READ(read_k8slbrp_stats_punts_by_id_handler, kStatsPunts.read_all(request))
READ(read_k8slbrp_stats_punts_flood_by_id_handler, kStatsPunts.read_leaf(request, "flood"))
READ(read_k8slbrp_stats_punts_reject_by_id_handler, kStatsPunts.read_leaf(request, "reject"))
READ(read_k8slbrp_stats_punts_fragment_hold_by_id_handler, kStatsPunts.read_leaf(request, "fragment-hold"))
READ(read_k8slbrp_stats_punts_fragment_release_by_id_handler, kStatsPunts.read_leaf(request, "fragment-release"))
READ(read_k8slbrp_stats_punts_arp_reply_by_id_handler, kStatsPunts.read_leaf(request, "arp-reply"))
READ(read_k8slbrp_stats_punts_copies_omitted_by_id_handler, kStatsPunts.read_leaf(request, "copies-omitted"))
READ(read_k8slbrp_stats_punts_reset_by_id_handler, kStatsPunts.read_leaf(request, "reset"))
READ(read_k8slbrp_stats_other_by_id_handler, kStatsOther.read_all(request))
READ(read_k8slbrp_stats_other_packets_in_by_id_handler, kStatsOther.read_leaf(request, "packets-in"))
READ(read_k8slbrp_stats_other_bytes_in_by_id_handler, kStatsOther.read_leaf(request, "bytes-in"))
READ(read_k8slbrp_stats_other_packets_out_by_id_handler, kStatsOther.read_leaf(request, "packets-out"))
READ(read_k8slbrp_stats_other_bytes_out_by_id_handler, kStatsOther.read_leaf(request, "bytes-out"))
READ(read_k8slbrp_stats_other_new_sessions_by_id_handler, kStatsOther.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_stats_other_active_sessions_by_id_handler, kStatsOther.read_leaf(request, "active-sessions"))
READ(read_k8slbrp_stats_sessions_by_id_handler, kStatsSessions.read_all(request))
READ(read_k8slbrp_stats_sessions_expired_by_id_handler, kStatsSessions.read_leaf(request, "expired"))
READ(read_k8slbrp_stats_sessions_tcp_by_id_handler, kStatsSessionsTcp.read_all(request))
READ(read_k8slbrp_stats_sessions_tcp_opening_by_id_handler, kStatsSessionsTcp.read_leaf(request, "opening"))
READ(read_k8slbrp_stats_sessions_tcp_answered_by_id_handler, kStatsSessionsTcp.read_leaf(request, "answered"))
READ(read_k8slbrp_stats_sessions_tcp_established_by_id_handler, kStatsSessionsTcp.read_leaf(request, "established"))
READ(read_k8slbrp_stats_sessions_tcp_client_closed_by_id_handler, kStatsSessionsTcp.read_leaf(request, "client-closed"))
READ(read_k8slbrp_stats_sessions_tcp_server_closed_by_id_handler, kStatsSessionsTcp.read_leaf(request, "server-closed"))
READ(read_k8slbrp_stats_sessions_tcp_closed_by_id_handler, kStatsSessionsTcp.read_leaf(request, "closed"))
READ(read_k8slbrp_stats_sessions_tcp_reset_by_id_handler, kStatsSessionsTcp.read_leaf(request, "reset"))
READ(read_k8slbrp_stats_sessions_udp_by_id_handler, kStatsSessionsUdp.read_all(request))
READ(read_k8slbrp_stats_sessions_udp_opening_by_id_handler, kStatsSessionsUdp.read_leaf(request, "opening"))
READ(read_k8slbrp_stats_sessions_udp_answered_by_id_handler, kStatsSessionsUdp.read_leaf(request, "answered"))
READ(read_k8slbrp_stats_sessions_udp_established_by_id_handler, kStatsSessionsUdp.read_leaf(request, "established"))
READ(read_k8slbrp_stats_sessions_icmp_by_id_handler, kStatsSessionsIcmp.read_all(request))
READ(read_k8slbrp_stats_sessions_icmp_opening_by_id_handler, kStatsSessionsIcmp.read_leaf(request, "opening"))
READ(read_k8slbrp_stats_sessions_icmp_answered_by_id_handler, kStatsSessionsIcmp.read_leaf(request, "answered"))
READ(read_k8slbrp_stats_sessions_icmp_established_by_id_handler, kStatsSessionsIcmp.read_leaf(request, "established"))
READ(read_k8slbrp_stats_table_by_id_handler, kStatsTable.read_entry(request))
READ(read_k8slbrp_stats_table_list_by_id_handler, kStatsTable.read_entries(request))
READ(k8slbrp_stats_table_list_by_id_help, kStatsTable.help(request))
READ(read_k8slbrp_stats_table_entries_by_id_handler, kStatsTable.read_leaf(request, "entries"))
READ(read_k8slbrp_stats_table_limit_by_id_handler, kStatsTable.read_leaf(request, "limit"))
READ(read_k8slbrp_stats_table_evicted_by_id_handler, kStatsTable.read_leaf(request, "evicted"))
READ(read_k8slbrp_stats_service_by_id_handler, kStatsService.read_entry(request))
READ(read_k8slbrp_stats_service_list_by_id_handler, kStatsService.read_entries(request))
READ(k8slbrp_stats_service_list_by_id_help, kStatsService.help(request))
READ(read_k8slbrp_stats_service_name_by_id_handler, kStatsService.read_leaf(request, "name"))
READ(read_k8slbrp_stats_service_packets_in_by_id_handler, kStatsService.read_leaf(request, "packets-in"))
READ(read_k8slbrp_stats_service_bytes_in_by_id_handler, kStatsService.read_leaf(request, "bytes-in"))
READ(read_k8slbrp_stats_service_packets_out_by_id_handler, kStatsService.read_leaf(request, "packets-out"))
READ(read_k8slbrp_stats_service_bytes_out_by_id_handler, kStatsService.read_leaf(request, "bytes-out"))
READ(read_k8slbrp_stats_service_new_sessions_by_id_handler, kStatsService.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_stats_service_active_sessions_by_id_handler, kStatsService.read_leaf(request, "active-sessions"))
READ(read_k8slbrp_stats_service_backend_by_id_handler, kStatsServiceBackend.read_entry(request))
READ(read_k8slbrp_stats_service_backend_list_by_id_handler, kStatsServiceBackend.read_entries(request))
READ(k8slbrp_stats_service_backend_list_by_id_help, kStatsServiceBackend.help(request))
READ(read_k8slbrp_stats_service_backend_name_by_id_handler, kStatsServiceBackend.read_leaf(request, "name"))
READ(read_k8slbrp_stats_service_backend_port_by_id_handler, kStatsServiceBackend.read_leaf(request, "port"))
READ(read_k8slbrp_stats_service_backend_packets_in_by_id_handler, kStatsServiceBackend.read_leaf(request, "packets-in"))
READ(read_k8slbrp_stats_service_backend_bytes_in_by_id_handler, kStatsServiceBackend.read_leaf(request, "bytes-in"))
READ(read_k8slbrp_stats_service_backend_packets_out_by_id_handler, kStatsServiceBackend.read_leaf(request, "packets-out"))
READ(read_k8slbrp_stats_service_backend_bytes_out_by_id_handler, kStatsServiceBackend.read_leaf(request, "bytes-out"))
READ(read_k8slbrp_stats_service_backend_new_sessions_by_id_handler, kStatsServiceBackend.read_leaf(request, "new-sessions"))
READ(read_k8slbrp_stats_service_backend_active_sessions_by_id_handler, kStatsServiceBackend.read_leaf(request, "active-sessions"))
READ(read_k8slbrp_sessions_by_id_handler, kSessions.read_all(request))
WRITE(create_k8slbrp_sessions_find_by_id_handler, kSessionsFind.call_action(request))
WRITE(create_k8slbrp_sessions_end_by_id_handler, kSessionsEnd.call_action(request))

}  // namespace k8slbrp
