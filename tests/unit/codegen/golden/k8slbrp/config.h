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

// service/backend
struct ServiceBackendConfig {
  std::optional<std::string> name;
  std::string ip;
  std::optional<uint16_t> port;
  std::optional<uint16_t> weight;
  std::optional<ServiceBackendState> state;  // default ACTIVE

  ServiceBackendKey key() const { return {ip}; }
};
ServiceBackendConfig service_backend_config_from_json(const nlohmann::json &json);
std::vector<ServiceBackendConfig> service_backend_list_from_json(const nlohmann::json &json);
void write(codegen::Text &text, const ServiceBackendConfig &config);
void write_leaf(codegen::Text &text, const ServiceBackendConfig &config, const char *leaf);

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
  nlohmann::json base;  // in: all that was received; out: what the host says
};
CubeConfig cube_config_from_json(const nlohmann::json &json);
void write_leaf(codegen::Text &text, const CubeConfig &config, const char *leaf);

}  // namespace k8slbrp
