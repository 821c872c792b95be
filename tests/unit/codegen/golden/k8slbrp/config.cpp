// Generated from k8slbrp.yang by codegen. Do not edit.
#include "config.h"

#include <tuple>

#include "keys.h"
#include "reader.h"
#include "writer.h"

namespace codegen {


template <>
struct Texts<k8slbrp::PortsType> {
  static constexpr const char *all[] = {"FRONTEND", "BACKEND"};
};

template <>
struct Texts<k8slbrp::PortMode> {
  static constexpr const char *all[] = {"SINGLE", "MULTI"};
};

template <>
struct Texts<k8slbrp::ServiceProto> {
  static constexpr const char *all[] = {"ICMP", "TCP", "UDP", "ALL"};
};

template <>
struct Texts<k8slbrp::ServiceBackendState> {
  static constexpr const char *all[] = {"ACTIVE", "DRAINING", "STANDBY"};
};

template <>
struct Texts<k8slbrp::ServiceSessionAffinity> {
  static constexpr const char *all[] = {"NONE", "CLIENT_IP"};
};

template <>
struct Texts<k8slbrp::UnservedPorts> {
  static constexpr const char *all[] = {"PASS", "REJECT"};
};

template <>
struct Members<k8slbrp::PortsKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("name", key.name);
  }
};

template <>
struct Members<k8slbrp::ServiceBackendKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("ip", key.ip);
  }
};

template <>
struct Members<k8slbrp::ServiceSourceRangeKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("address", key.address);
    visitor.required("prefix-length", key.prefix_length);
  }
};

template <>
struct Members<k8slbrp::ServiceKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("vip", key.vip);
    visitor.required("vport", key.vport);
    visitor.required("proto", key.proto);
  }
};

template <>
struct Members<k8slbrp::PortsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.base(config.base);
    visitor.required("name", config.name);
    visitor.leaf("type", config.type);
    visitor.leaf("ip", config.ip);
  }
};

template <>
struct Members<k8slbrp::SrcIpRewriteConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("ip-range", config.ip_range);
    visitor.leaf("new_ip_range", config.new_ip_range);
  }
};

template <>
struct Members<k8slbrp::ServiceBackendConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("name", config.name);
    visitor.required("ip", config.ip);
    visitor.leaf("port", config.port);
    visitor.leaf("weight", config.weight);
    visitor.leaf("state", config.state);
  }
};

template <>
struct Members<k8slbrp::ServiceSourceRangeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("address", config.address);
    visitor.required("prefix-length", config.prefix_length, {{0, 32}});
  }
};

template <>
struct Members<k8slbrp::ServiceConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("name", config.name);
    visitor.required("vip", config.vip);
    visitor.required("vport", config.vport);
    visitor.required("proto", config.proto);
    visitor.list("backend", config.backend);
    visitor.leaf("session-affinity", config.session_affinity);
    visitor.leaf("affinity-timeout", config.affinity_timeout, {{1, 86400}});
    visitor.list("source-range", config.source_range);
  }
};

template <>
struct Members<k8slbrp::TimeoutsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("tcp-opening", config.tcp_opening, {{1, 31536000}});
    visitor.leaf("tcp-established", config.tcp_established, {{1, 31536000}});
    visitor.leaf("tcp-half-closed", config.tcp_half_closed, {{1, 31536000}});
    visitor.leaf("tcp-closed", config.tcp_closed, {{1, 31536000}});
    visitor.leaf("udp-unanswered", config.udp_unanswered, {{1, 31536000}});
    visitor.leaf("udp-answered", config.udp_answered, {{1, 31536000}});
    visitor.leaf("udp-stream", config.udp_stream, {{1, 31536000}});
    visitor.leaf("icmp", config.icmp, {{1, 31536000}});
  }
};

template <>
struct Members<k8slbrp::CubeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.base(config.base);
    visitor.required("name", config.name);
    visitor.list("ports", config.ports);
    visitor.leaf("port_mode", config.port_mode);
    visitor.container("src-ip-rewrite", config.src_ip_rewrite);
    visitor.list("service", config.service);
    visitor.leaf("max-sessions", config.max_sessions, {{1024, 16777216}});
    visitor.leaf("unserved-ports", config.unserved_ports);
    visitor.container("timeouts", config.timeouts);
  }
};

}  // namespace codegen

namespace k8slbrp {

std::string to_string(PortsType value) { return codegen::enum_text(value); }
PortsType ports_type_from_string(const std::string &text) {
  return codegen::parse_enum<PortsType>(text);
}

std::string to_string(PortMode value) { return codegen::enum_text(value); }
PortMode port_mode_from_string(const std::string &text) {
  return codegen::parse_enum<PortMode>(text);
}

std::string to_string(ServiceProto value) { return codegen::enum_text(value); }
ServiceProto service_proto_from_string(const std::string &text) {
  return codegen::parse_enum<ServiceProto>(text);
}

std::string to_string(ServiceBackendState value) { return codegen::enum_text(value); }
ServiceBackendState service_backend_state_from_string(const std::string &text) {
  return codegen::parse_enum<ServiceBackendState>(text);
}

std::string to_string(ServiceSessionAffinity value) { return codegen::enum_text(value); }
ServiceSessionAffinity service_session_affinity_from_string(const std::string &text) {
  return codegen::parse_enum<ServiceSessionAffinity>(text);
}

std::string to_string(UnservedPorts value) { return codegen::enum_text(value); }
UnservedPorts unserved_ports_from_string(const std::string &text) {
  return codegen::parse_enum<UnservedPorts>(text);
}

bool PortsKey::operator==(const PortsKey &other) const {
  return std::tie(name) == std::tie(other.name);
}
bool PortsKey::operator<(const PortsKey &other) const {
  return std::tie(name) < std::tie(other.name);
}
std::string to_string(const PortsKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const PortsKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const PortsKey &key) { codegen::write_key_help(text, key); }

bool ServiceBackendKey::operator==(const ServiceBackendKey &other) const {
  return std::tie(ip) == std::tie(other.ip);
}
bool ServiceBackendKey::operator<(const ServiceBackendKey &other) const {
  return std::tie(ip) < std::tie(other.ip);
}
std::string to_string(const ServiceBackendKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const ServiceBackendKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const ServiceBackendKey &key) { codegen::write_key_help(text, key); }

bool ServiceSourceRangeKey::operator==(const ServiceSourceRangeKey &other) const {
  return std::tie(address, prefix_length) == std::tie(other.address, other.prefix_length);
}
bool ServiceSourceRangeKey::operator<(const ServiceSourceRangeKey &other) const {
  return std::tie(address, prefix_length) < std::tie(other.address, other.prefix_length);
}
std::string to_string(const ServiceSourceRangeKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const ServiceSourceRangeKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const ServiceSourceRangeKey &key) { codegen::write_key_help(text, key); }

bool ServiceKey::operator==(const ServiceKey &other) const {
  return std::tie(vip, vport, proto) == std::tie(other.vip, other.vport, other.proto);
}
bool ServiceKey::operator<(const ServiceKey &other) const {
  return std::tie(vip, vport, proto) < std::tie(other.vip, other.vport, other.proto);
}
std::string to_string(const ServiceKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const ServiceKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const ServiceKey &key) { codegen::write_key_help(text, key); }

PortsConfig ports_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<PortsConfig>(json, "");
}
std::vector<PortsConfig> ports_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<PortsConfig>(json, "ports");
}
void write(codegen::Text &text, const PortsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const PortsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

SrcIpRewriteConfig src_ip_rewrite_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<SrcIpRewriteConfig>(json, "");
}
void write(codegen::Text &text, const SrcIpRewriteConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const SrcIpRewriteConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

ServiceBackendConfig service_backend_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<ServiceBackendConfig>(json, "");
}
std::vector<ServiceBackendConfig> service_backend_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<ServiceBackendConfig>(json, "backend");
}
void write(codegen::Text &text, const ServiceBackendConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ServiceBackendConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "state", "\"active\"");
}

ServiceSourceRangeConfig service_source_range_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<ServiceSourceRangeConfig>(json, "");
}
std::vector<ServiceSourceRangeConfig> service_source_range_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<ServiceSourceRangeConfig>(json, "source-range");
}
void write(codegen::Text &text, const ServiceSourceRangeConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ServiceSourceRangeConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

ServiceConfig service_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<ServiceConfig>(json, "");
}
std::vector<ServiceConfig> service_list_from_json(const nlohmann::json &json) {
  return codegen::read_list<ServiceConfig>(json, "service");
}
void write(codegen::Text &text, const ServiceConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ServiceConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "session-affinity", "\"none\"");
  codegen::write_default(text, leaf, "affinity-timeout", "10800");
}

TimeoutsConfig timeouts_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<TimeoutsConfig>(json, "");
}
void write(codegen::Text &text, const TimeoutsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const TimeoutsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "tcp-opening", "240");
  codegen::write_default(text, leaf, "tcp-established", "86400");
  codegen::write_default(text, leaf, "tcp-half-closed", "3600");
  codegen::write_default(text, leaf, "tcp-closed", "240");
  codegen::write_default(text, leaf, "udp-unanswered", "120");
  codegen::write_default(text, leaf, "udp-answered", "120");
  codegen::write_default(text, leaf, "udp-stream", "180");
  codegen::write_default(text, leaf, "icmp", "60");
}

CubeConfig cube_config_from_json(const nlohmann::json &json) {
  return codegen::read_struct<CubeConfig>(json, "");
}
void write_leaf(codegen::Text &text, const CubeConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
  codegen::write_default(text, leaf, "port_mode", "\"multi\"");
  codegen::write_default(text, leaf, "max-sessions", "131072");
  codegen::write_default(text, leaf, "unserved-ports", "\"pass\"");
}

}  // namespace k8slbrp
