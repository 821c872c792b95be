// Generated from k8slbrp.yang by codegen. Do not edit.
//
// The data of the service as C++ values. An absent optional was not given, or has nothing to show.
#pragma once

#include <polycube/services/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "errors.h"
#include "text.h"

namespace k8slbrp {

using codegen::already_exists;
using codegen::bad_value;
using codegen::missing;
using codegen::ServiceError;
using codegen::unsupported;

// Enumerations. Texts are lower case; parsing takes any case and throws bad_value.
enum class PortsType { Frontend, Backend };
std::string to_string(PortsType value);
PortsType ports_type_from_string(const std::string &text);

enum class PortMode { Single, Multi };
std::string to_string(PortMode value);
PortMode port_mode_from_string(const std::string &text);

enum class ServiceProto { Icmp, Tcp, Udp, All };
std::string to_string(ServiceProto value);
ServiceProto service_proto_from_string(const std::string &text);

enum class ServiceBackendState { Active, Draining, Standby };
std::string to_string(ServiceBackendState value);
ServiceBackendState service_backend_state_from_string(const std::string &text);

enum class ServiceSessionAffinity { None, ClientIp };
std::string to_string(ServiceSessionAffinity value);
ServiceSessionAffinity service_session_affinity_from_string(const std::string &text);

enum class UnservedPorts { Pass, Reject };
std::string to_string(UnservedPorts value);
UnservedPorts unserved_ports_from_string(const std::string &text);

enum class StatsServiceProto { Icmp, Tcp, Udp };
std::string to_string(StatsServiceProto value);
StatsServiceProto stats_service_proto_from_string(const std::string &text);

enum class SessionsFindProto { Icmp, Tcp, Udp };
std::string to_string(SessionsFindProto value);
SessionsFindProto sessions_find_proto_from_string(const std::string &text);

enum class SessionsFindState { Opening, Answered, Established, ClientClosed, ServerClosed, Closed, Reset };
std::string to_string(SessionsFindState value);
SessionsFindState sessions_find_state_from_string(const std::string &text);

enum class SessionsEndProto { Icmp, Tcp, Udp };
std::string to_string(SessionsEndProto value);
SessionsEndProto sessions_end_proto_from_string(const std::string &text);

enum class SessionsEndState { Opening, Answered, Established, ClientClosed, ServerClosed, Closed, Reset };
std::string to_string(SessionsEndState value);
SessionsEndState sessions_end_state_from_string(const std::string &text);

// Keys. The text is that of the members with a blank between them.
struct PortsKey {
  std::string name;

  bool operator==(const PortsKey &other) const;
  bool operator<(const PortsKey &other) const;
};
std::string to_string(const PortsKey &key);
nlohmann::json to_json(const PortsKey &key);
void write_help(codegen::Text &text, const PortsKey &key);

struct ServiceBackendKey {
  std::string ip;

  bool operator==(const ServiceBackendKey &other) const;
  bool operator<(const ServiceBackendKey &other) const;
};
std::string to_string(const ServiceBackendKey &key);
nlohmann::json to_json(const ServiceBackendKey &key);
void write_help(codegen::Text &text, const ServiceBackendKey &key);

struct ServiceSourceRangeKey {
  std::string address;
  uint8_t prefix_length{};

  bool operator==(const ServiceSourceRangeKey &other) const;
  bool operator<(const ServiceSourceRangeKey &other) const;
};
std::string to_string(const ServiceSourceRangeKey &key);
nlohmann::json to_json(const ServiceSourceRangeKey &key);
void write_help(codegen::Text &text, const ServiceSourceRangeKey &key);

struct ServiceKey {
  std::string vip;
  uint16_t vport{};
  ServiceProto proto{};

  bool operator==(const ServiceKey &other) const;
  bool operator<(const ServiceKey &other) const;
};
std::string to_string(const ServiceKey &key);
nlohmann::json to_json(const ServiceKey &key);
void write_help(codegen::Text &text, const ServiceKey &key);

struct StatsTableKey {
  std::string name;

  bool operator==(const StatsTableKey &other) const;
  bool operator<(const StatsTableKey &other) const;
};
std::string to_string(const StatsTableKey &key);
nlohmann::json to_json(const StatsTableKey &key);
void write_help(codegen::Text &text, const StatsTableKey &key);

struct StatsServiceBackendKey {
  std::string ip;

  bool operator==(const StatsServiceBackendKey &other) const;
  bool operator<(const StatsServiceBackendKey &other) const;
};
std::string to_string(const StatsServiceBackendKey &key);
nlohmann::json to_json(const StatsServiceBackendKey &key);
void write_help(codegen::Text &text, const StatsServiceBackendKey &key);

struct StatsServiceKey {
  std::string vip;
  uint16_t vport{};
  StatsServiceProto proto{};

  bool operator==(const StatsServiceKey &other) const;
  bool operator<(const StatsServiceKey &other) const;
};
std::string to_string(const StatsServiceKey &key);
nlohmann::json to_json(const StatsServiceKey &key);
void write_help(codegen::Text &text, const StatsServiceKey &key);

// Containers and list entries. Parsers throw bad_value, which names the place in the request, for a value of
// the wrong kind, an integer out of range, an unknown enumeration text, a missing required member, and a list
// key given twice. They skip what clients cannot set. write_leaf() writes the default of a leaf that is
// not set, or nothing when it has none.

// ports
struct PortsConfig {
  std::string name;
  std::optional<PortsType> type;
  std::optional<std::string> ip;
  nlohmann::json base;  // in: all that was received; out: what the host says

  PortsKey key() const { return {name}; }
};
PortsConfig ports_config_from_json(const nlohmann::json &json);
std::vector<PortsConfig> ports_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const PortsConfig &config);
void write_leaf(codegen::Text &text, const PortsConfig &config, const char *leaf);

// src-ip-rewrite
struct SrcIpRewriteConfig {
  std::optional<std::string> ip_range;
  std::optional<std::string> new_ip_range;
};
SrcIpRewriteConfig src_ip_rewrite_config_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const SrcIpRewriteConfig &config);
void write_leaf(codegen::Text &text, const SrcIpRewriteConfig &config, const char *leaf);

// service/backend/stats
struct ServiceBackendStatsConfig {
  std::optional<uint64_t> packets_in;  // read-only
  std::optional<uint64_t> bytes_in;  // read-only
  std::optional<uint64_t> packets_out;  // read-only
  std::optional<uint64_t> bytes_out;  // read-only
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint32_t> active_sessions;  // read-only
};
void write(codegen::Text &text, const ServiceBackendStatsConfig &config);
void write_leaf(codegen::Text &text, const ServiceBackendStatsConfig &config, const char *leaf);

// service/backend
struct ServiceBackendConfig {
  std::optional<std::string> name;
  std::string ip;
  std::optional<uint16_t> port;
  std::optional<uint16_t> weight;
  std::optional<ServiceBackendState> state;  // default ACTIVE
  std::optional<ServiceBackendStatsConfig> stats;

  ServiceBackendKey key() const { return {ip}; }
};
ServiceBackendConfig service_backend_config_from_json(const nlohmann::json &json);
std::vector<ServiceBackendConfig> service_backend_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ServiceBackendConfig &config);
void write_leaf(codegen::Text &text, const ServiceBackendConfig &config, const char *leaf);

// service/stats
struct ServiceStatsConfig {
  std::optional<uint64_t> packets_in;  // read-only
  std::optional<uint64_t> bytes_in;  // read-only
  std::optional<uint64_t> packets_out;  // read-only
  std::optional<uint64_t> bytes_out;  // read-only
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint32_t> active_sessions;  // read-only
};
void write(codegen::Text &text, const ServiceStatsConfig &config);
void write_leaf(codegen::Text &text, const ServiceStatsConfig &config, const char *leaf);

// service/source-range
struct ServiceSourceRangeConfig {
  std::string address;
  uint8_t prefix_length{};

  ServiceSourceRangeKey key() const { return {address, prefix_length}; }
};
ServiceSourceRangeConfig service_source_range_config_from_json(const nlohmann::json &json);
std::vector<ServiceSourceRangeConfig> service_source_range_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ServiceSourceRangeConfig &config);
void write_leaf(codegen::Text &text, const ServiceSourceRangeConfig &config, const char *leaf);

// service
struct ServiceConfig {
  std::optional<std::string> name;
  std::string vip;
  uint16_t vport{};
  ServiceProto proto{};
  std::vector<ServiceBackendConfig> backend;
  std::optional<ServiceStatsConfig> stats;
  std::optional<ServiceSessionAffinity> session_affinity;  // default NONE
  std::optional<uint32_t> affinity_timeout;  // default 10800
  std::vector<ServiceSourceRangeConfig> source_range;

  ServiceKey key() const { return {vip, vport, proto}; }
};
ServiceConfig service_config_from_json(const nlohmann::json &json);
std::vector<ServiceConfig> service_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ServiceConfig &config);
void write_leaf(codegen::Text &text, const ServiceConfig &config, const char *leaf);

// timeouts
struct TimeoutsConfig {
  std::optional<uint32_t> tcp_opening;  // default 240
  std::optional<uint32_t> tcp_established;  // default 86400
  std::optional<uint32_t> tcp_half_closed;  // default 3600
  std::optional<uint32_t> tcp_closed;  // default 240
  std::optional<uint32_t> udp_unanswered;  // default 120
  std::optional<uint32_t> udp_answered;  // default 120
  std::optional<uint32_t> udp_stream;  // default 180
  std::optional<uint32_t> icmp;  // default 60
};
TimeoutsConfig timeouts_config_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const TimeoutsConfig &config);
void write_leaf(codegen::Text &text, const TimeoutsConfig &config, const char *leaf);

// stats/frontend
struct StatsFrontendConfig {
  std::optional<uint64_t> translated_packets;  // read-only
  std::optional<uint64_t> translated_bytes;  // read-only
  std::optional<uint64_t> passed_packets;  // read-only
  std::optional<uint64_t> passed_bytes;  // read-only
  std::optional<uint64_t> slow_path_packets;  // read-only
  std::optional<uint64_t> slow_path_bytes;  // read-only
  std::optional<uint64_t> dropped_packets;  // read-only
  std::optional<uint64_t> dropped_bytes;  // read-only
};
void write(codegen::Text &text, const StatsFrontendConfig &config);
void write_leaf(codegen::Text &text, const StatsFrontendConfig &config, const char *leaf);

// stats/backend
struct StatsBackendConfig {
  std::optional<uint64_t> translated_packets;  // read-only
  std::optional<uint64_t> translated_bytes;  // read-only
  std::optional<uint64_t> passed_packets;  // read-only
  std::optional<uint64_t> passed_bytes;  // read-only
  std::optional<uint64_t> slow_path_packets;  // read-only
  std::optional<uint64_t> slow_path_bytes;  // read-only
  std::optional<uint64_t> dropped_packets;  // read-only
  std::optional<uint64_t> dropped_bytes;  // read-only
};
void write(codegen::Text &text, const StatsBackendConfig &config);
void write_leaf(codegen::Text &text, const StatsBackendConfig &config, const char *leaf);

// stats/drops
struct StatsDropsConfig {
  std::optional<uint64_t> malformed;  // read-only
  std::optional<uint64_t> no_port;  // read-only
  std::optional<uint64_t> port_not_ready;  // read-only
  std::optional<uint64_t> fragment;  // read-only
  std::optional<uint64_t> icmp_error;  // read-only
  std::optional<uint64_t> rate_limited;  // read-only
  std::optional<uint64_t> slow_path_full;  // read-only
  std::optional<uint64_t> source_ports;  // read-only
  std::optional<uint64_t> table_changed;  // read-only
  std::optional<uint64_t> no_session;  // read-only
  std::optional<uint64_t> table_busy;  // read-only
  std::optional<uint64_t> source_range;  // read-only
  std::optional<uint64_t> no_peer;  // read-only
};
void write(codegen::Text &text, const StatsDropsConfig &config);
void write_leaf(codegen::Text &text, const StatsDropsConfig &config, const char *leaf);

// stats/punts
struct StatsPuntsConfig {
  std::optional<uint64_t> flood;  // read-only
  std::optional<uint64_t> reject;  // read-only
  std::optional<uint64_t> fragment_hold;  // read-only
  std::optional<uint64_t> fragment_release;  // read-only
  std::optional<uint64_t> arp_reply;  // read-only
  std::optional<uint64_t> copies_omitted;  // read-only
  std::optional<uint64_t> reset;  // read-only
};
void write(codegen::Text &text, const StatsPuntsConfig &config);
void write_leaf(codegen::Text &text, const StatsPuntsConfig &config, const char *leaf);

// stats/other
struct StatsOtherConfig {
  std::optional<uint64_t> packets_in;  // read-only
  std::optional<uint64_t> bytes_in;  // read-only
  std::optional<uint64_t> packets_out;  // read-only
  std::optional<uint64_t> bytes_out;  // read-only
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint32_t> active_sessions;  // read-only
};
void write(codegen::Text &text, const StatsOtherConfig &config);
void write_leaf(codegen::Text &text, const StatsOtherConfig &config, const char *leaf);

// stats/sessions/tcp
struct StatsSessionsTcpConfig {
  std::optional<uint32_t> opening;  // read-only
  std::optional<uint32_t> answered;  // read-only
  std::optional<uint32_t> established;  // read-only
  std::optional<uint32_t> client_closed;  // read-only
  std::optional<uint32_t> server_closed;  // read-only
  std::optional<uint32_t> closed;  // read-only
  std::optional<uint32_t> reset;  // read-only
};
void write(codegen::Text &text, const StatsSessionsTcpConfig &config);
void write_leaf(codegen::Text &text, const StatsSessionsTcpConfig &config, const char *leaf);

// stats/sessions/udp
struct StatsSessionsUdpConfig {
  std::optional<uint32_t> opening;  // read-only
  std::optional<uint32_t> answered;  // read-only
  std::optional<uint32_t> established;  // read-only
};
void write(codegen::Text &text, const StatsSessionsUdpConfig &config);
void write_leaf(codegen::Text &text, const StatsSessionsUdpConfig &config, const char *leaf);

// stats/sessions/icmp
struct StatsSessionsIcmpConfig {
  std::optional<uint32_t> opening;  // read-only
  std::optional<uint32_t> answered;  // read-only
  std::optional<uint32_t> established;  // read-only
};
void write(codegen::Text &text, const StatsSessionsIcmpConfig &config);
void write_leaf(codegen::Text &text, const StatsSessionsIcmpConfig &config, const char *leaf);

// stats/sessions
struct StatsSessionsConfig {
  std::optional<StatsSessionsTcpConfig> tcp;
  std::optional<StatsSessionsUdpConfig> udp;
  std::optional<StatsSessionsIcmpConfig> icmp;
  std::optional<uint32_t> expired;  // read-only
};
void write(codegen::Text &text, const StatsSessionsConfig &config);
void write_leaf(codegen::Text &text, const StatsSessionsConfig &config, const char *leaf);

// stats/table
struct StatsTableConfig {
  std::string name;
  std::optional<uint32_t> entries;  // read-only
  std::optional<uint32_t> limit;  // read-only
  std::optional<uint64_t> evicted;  // read-only

  StatsTableKey key() const { return {name}; }
};
void write(codegen::Text &text, const StatsTableConfig &config);
void write_leaf(codegen::Text &text, const StatsTableConfig &config, const char *leaf);

// stats/service/backend
struct StatsServiceBackendConfig {
  std::string ip;
  std::optional<std::string> name;  // read-only
  std::optional<uint16_t> port;  // read-only
  std::optional<uint64_t> packets_in;  // read-only
  std::optional<uint64_t> bytes_in;  // read-only
  std::optional<uint64_t> packets_out;  // read-only
  std::optional<uint64_t> bytes_out;  // read-only
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint32_t> active_sessions;  // read-only

  StatsServiceBackendKey key() const { return {ip}; }
};
void write(codegen::Text &text, const StatsServiceBackendConfig &config);
void write_leaf(codegen::Text &text, const StatsServiceBackendConfig &config, const char *leaf);

// stats/service
struct StatsServiceConfig {
  std::string vip;
  uint16_t vport{};
  StatsServiceProto proto{};
  std::optional<std::string> name;  // read-only
  std::optional<uint64_t> packets_in;  // read-only
  std::optional<uint64_t> bytes_in;  // read-only
  std::optional<uint64_t> packets_out;  // read-only
  std::optional<uint64_t> bytes_out;  // read-only
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint32_t> active_sessions;  // read-only
  std::vector<StatsServiceBackendConfig> backend;

  StatsServiceKey key() const { return {vip, vport, proto}; }
};
void write(codegen::Text &text, const StatsServiceConfig &config);
void write_leaf(codegen::Text &text, const StatsServiceConfig &config, const char *leaf);

// stats
struct StatsConfig {
  std::optional<uint64_t> new_sessions;  // read-only
  std::optional<uint64_t> resumed_sessions;  // read-only
  std::optional<uint64_t> rejected;  // read-only
  std::optional<uint64_t> not_promoted;  // read-only
  std::optional<StatsFrontendConfig> frontend;
  std::optional<StatsBackendConfig> backend;
  std::optional<StatsDropsConfig> drops;
  std::optional<StatsPuntsConfig> punts;
  std::optional<StatsOtherConfig> other;
  std::optional<StatsSessionsConfig> sessions;
  std::vector<StatsTableConfig> table;
  std::vector<StatsServiceConfig> service;
};
void write(codegen::Text &text, const StatsConfig &config);
void write_leaf(codegen::Text &text, const StatsConfig &config, const char *leaf);

// the input of sessions/find
struct SessionsFindInput {
  std::optional<std::string> client;
  std::optional<uint16_t> client_port;
  std::optional<std::string> vip;
  std::optional<uint16_t> vport;
  std::optional<SessionsFindProto> proto;
  std::optional<std::string> backend;
  std::optional<uint16_t> backend_port;
  std::optional<SessionsFindState> state;
  std::optional<uint32_t> idle_min;
  std::optional<uint32_t> idle_max;
  std::optional<uint32_t> limit;  // default 100
  std::optional<std::string> after;
};
SessionsFindInput sessions_find_input_from_json(const nlohmann::json &json);

// the input of sessions/end
struct SessionsEndInput {
  std::optional<std::string> client;
  std::optional<uint16_t> client_port;
  std::optional<std::string> vip;
  std::optional<uint16_t> vport;
  std::optional<SessionsEndProto> proto;
  std::optional<std::string> backend;
  std::optional<uint16_t> backend_port;
  std::optional<SessionsEndState> state;
  std::optional<uint32_t> idle_min;
  std::optional<uint32_t> idle_max;
  std::optional<bool> reset;  // default false
};
SessionsEndInput sessions_end_input_from_json(const nlohmann::json &json);

// sessions
struct SessionsConfig {
};
void write(codegen::Text &text, const SessionsConfig &config);
void write_leaf(codegen::Text &text, const SessionsConfig &config, const char *leaf);

// the cube
struct CubeConfig {
  std::string name;
  std::vector<PortsConfig> ports;
  std::optional<PortMode> port_mode;  // default MULTI
  std::optional<SrcIpRewriteConfig> src_ip_rewrite;
  std::vector<ServiceConfig> service;
  std::optional<uint32_t> max_sessions;  // default 131072
  std::optional<UnservedPorts> unserved_ports;  // default PASS
  std::optional<TimeoutsConfig> timeouts;
  std::optional<StatsConfig> stats;
  std::optional<SessionsConfig> sessions;
  nlohmann::json base;  // in: all that was received; out: what the host says
};
CubeConfig cube_config_from_json(const nlohmann::json &json);
void write_leaf(codegen::Text &text, const CubeConfig &config, const char *leaf);

}  // namespace k8slbrp
