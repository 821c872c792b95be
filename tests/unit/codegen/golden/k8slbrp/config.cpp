// Generated from k8slbrp.yang by codegen. Do not edit.
#include "config.h"

#include <tuple>

#include "codec.h"

namespace k8slbrp {
namespace codec {

template <>
struct Texts<PortsType> {
  static constexpr const char *all[] = {"FRONTEND", "BACKEND"};
};

template <>
struct Texts<PortMode> {
  static constexpr const char *all[] = {"SINGLE", "MULTI"};
};

template <>
struct Texts<ServiceProto> {
  static constexpr const char *all[] = {"ICMP", "TCP", "UDP", "ALL"};
};

template <>
struct Members<PortsKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("name", key.name);
  }
};

template <>
struct Members<ServiceBackendKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("ip", key.ip);
  }
};

template <>
struct Members<ServiceKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("vip", key.vip);
    visitor.required("vport", key.vport);
    visitor.required("proto", key.proto);
  }
};

template <>
struct Members<PortsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.base(config.base);
    visitor.required("name", config.name);
    visitor.leaf("type", config.type);
    visitor.leaf("ip", config.ip);
  }
};

template <>
struct Members<SrcIpRewriteConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("ip-range", config.ip_range);
    visitor.leaf("new_ip_range", config.new_ip_range);
  }
};

template <>
struct Members<ServiceBackendConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("name", config.name);
    visitor.required("ip", config.ip);
    visitor.leaf("port", config.port);
    visitor.leaf("weight", config.weight);
  }
};

template <>
struct Members<ServiceConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("name", config.name);
    visitor.required("vip", config.vip);
    visitor.required("vport", config.vport);
    visitor.required("proto", config.proto);
    visitor.list("backend", config.backend);
  }
};

template <>
struct Members<CubeConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.base(config.base);
    visitor.required("name", config.name);
    visitor.list("ports", config.ports);
    visitor.leaf("port_mode", config.port_mode);
    visitor.container("src-ip-rewrite", config.src_ip_rewrite);
    visitor.list("service", config.service);
    visitor.leaf("max-sessions", config.max_sessions, {{1024, 16777216}});
  }
};

}  // namespace codec

std::string to_string(PortsType value) { return codec::enum_text(value); }
PortsType ports_type_from_string(const std::string &text) {
  return codec::parse_enum<PortsType>(text);
}

std::string to_string(PortMode value) { return codec::enum_text(value); }
PortMode port_mode_from_string(const std::string &text) {
  return codec::parse_enum<PortMode>(text);
}

std::string to_string(ServiceProto value) { return codec::enum_text(value); }
ServiceProto service_proto_from_string(const std::string &text) {
  return codec::parse_enum<ServiceProto>(text);
}

bool PortsKey::operator==(const PortsKey &other) const {
  return std::tie(name) == std::tie(other.name);
}
bool PortsKey::operator<(const PortsKey &other) const {
  return std::tie(name) < std::tie(other.name);
}
std::string to_string(const PortsKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const PortsKey &key) { return codec::write_struct(key); }

bool ServiceBackendKey::operator==(const ServiceBackendKey &other) const {
  return std::tie(ip) == std::tie(other.ip);
}
bool ServiceBackendKey::operator<(const ServiceBackendKey &other) const {
  return std::tie(ip) < std::tie(other.ip);
}
std::string to_string(const ServiceBackendKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const ServiceBackendKey &key) { return codec::write_struct(key); }

bool ServiceKey::operator==(const ServiceKey &other) const {
  return std::tie(vip, vport, proto) == std::tie(other.vip, other.vport, other.proto);
}
bool ServiceKey::operator<(const ServiceKey &other) const {
  return std::tie(vip, vport, proto) < std::tie(other.vip, other.vport, other.proto);
}
std::string to_string(const ServiceKey &key) { return codec::text(to_json(key)); }
nlohmann::json to_json(const ServiceKey &key) { return codec::write_struct(key); }

PortsConfig ports_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<PortsConfig>(json, "");
}
std::vector<PortsConfig> ports_list_from_json(const nlohmann::json &json) {
  return codec::read_list<PortsConfig>(json, "ports");
}
nlohmann::json to_json(const PortsConfig &config) { return codec::write_struct(config); }

SrcIpRewriteConfig src_ip_rewrite_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<SrcIpRewriteConfig>(json, "");
}
nlohmann::json to_json(const SrcIpRewriteConfig &config) { return codec::write_struct(config); }

ServiceBackendConfig service_backend_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<ServiceBackendConfig>(json, "");
}
std::vector<ServiceBackendConfig> service_backend_list_from_json(const nlohmann::json &json) {
  return codec::read_list<ServiceBackendConfig>(json, "backend");
}
nlohmann::json to_json(const ServiceBackendConfig &config) { return codec::write_struct(config); }

ServiceConfig service_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<ServiceConfig>(json, "");
}
std::vector<ServiceConfig> service_list_from_json(const nlohmann::json &json) {
  return codec::read_list<ServiceConfig>(json, "service");
}
nlohmann::json to_json(const ServiceConfig &config) { return codec::write_struct(config); }

CubeConfig cube_config_from_json(const nlohmann::json &json) {
  return codec::read_struct<CubeConfig>(json, "");
}
nlohmann::json to_json(const CubeConfig &config) { return codec::write_struct(config); }

}  // namespace k8slbrp
