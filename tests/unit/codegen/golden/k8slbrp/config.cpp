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
struct Texts<k8slbrp::StatsServiceProto> {
  static constexpr const char *all[] = {"ICMP", "TCP", "UDP"};
};

template <>
struct Texts<k8slbrp::SessionsFindProto> {
  static constexpr const char *all[] = {"ICMP", "TCP", "UDP"};
};

template <>
struct Texts<k8slbrp::SessionsFindState> {
  static constexpr const char *all[] = {"OPENING", "ANSWERED", "ESTABLISHED", "CLIENT_CLOSED", "SERVER_CLOSED", "CLOSED", "RESET"};
};

template <>
struct Texts<k8slbrp::SessionsEndProto> {
  static constexpr const char *all[] = {"ICMP", "TCP", "UDP"};
};

template <>
struct Texts<k8slbrp::SessionsEndState> {
  static constexpr const char *all[] = {"OPENING", "ANSWERED", "ESTABLISHED", "CLIENT_CLOSED", "SERVER_CLOSED", "CLOSED", "RESET"};
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
struct Members<k8slbrp::StatsTableKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("name", key.name);
  }
};

template <>
struct Members<k8slbrp::StatsServiceBackendKey> {
  template <typename Value, typename Visitor>
  static void visit(Value &key, Visitor &visitor) {
    visitor.required("ip", key.ip);
  }
};

template <>
struct Members<k8slbrp::StatsServiceKey> {
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
struct Members<k8slbrp::ServiceBackendStatsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("packets-in", config.packets_in);
    visitor.output("bytes-in", config.bytes_in);
    visitor.output("packets-out", config.packets_out);
    visitor.output("bytes-out", config.bytes_out);
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("active-sessions", config.active_sessions);
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
    visitor.container("stats", config.stats);
  }
};

template <>
struct Members<k8slbrp::ServiceStatsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("packets-in", config.packets_in);
    visitor.output("bytes-in", config.bytes_in);
    visitor.output("packets-out", config.packets_out);
    visitor.output("bytes-out", config.bytes_out);
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("active-sessions", config.active_sessions);
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
    visitor.container("stats", config.stats);
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
struct Members<k8slbrp::StatsFrontendConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("translated-packets", config.translated_packets);
    visitor.output("translated-bytes", config.translated_bytes);
    visitor.output("passed-packets", config.passed_packets);
    visitor.output("passed-bytes", config.passed_bytes);
    visitor.output("slow-path-packets", config.slow_path_packets);
    visitor.output("slow-path-bytes", config.slow_path_bytes);
    visitor.output("dropped-packets", config.dropped_packets);
    visitor.output("dropped-bytes", config.dropped_bytes);
  }
};

template <>
struct Members<k8slbrp::StatsBackendConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("translated-packets", config.translated_packets);
    visitor.output("translated-bytes", config.translated_bytes);
    visitor.output("passed-packets", config.passed_packets);
    visitor.output("passed-bytes", config.passed_bytes);
    visitor.output("slow-path-packets", config.slow_path_packets);
    visitor.output("slow-path-bytes", config.slow_path_bytes);
    visitor.output("dropped-packets", config.dropped_packets);
    visitor.output("dropped-bytes", config.dropped_bytes);
  }
};

template <>
struct Members<k8slbrp::StatsDropsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("malformed", config.malformed);
    visitor.output("no-port", config.no_port);
    visitor.output("port-not-ready", config.port_not_ready);
    visitor.output("fragment", config.fragment);
    visitor.output("icmp-error", config.icmp_error);
    visitor.output("rate-limited", config.rate_limited);
    visitor.output("slow-path-full", config.slow_path_full);
    visitor.output("source-ports", config.source_ports);
    visitor.output("table-changed", config.table_changed);
    visitor.output("no-session", config.no_session);
    visitor.output("table-busy", config.table_busy);
    visitor.output("source-range", config.source_range);
    visitor.output("no-peer", config.no_peer);
  }
};

template <>
struct Members<k8slbrp::StatsPuntsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("flood", config.flood);
    visitor.output("reject", config.reject);
    visitor.output("fragment-hold", config.fragment_hold);
    visitor.output("fragment-release", config.fragment_release);
    visitor.output("arp-reply", config.arp_reply);
    visitor.output("copies-omitted", config.copies_omitted);
    visitor.output("reset", config.reset);
  }
};

template <>
struct Members<k8slbrp::StatsOtherConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("packets-in", config.packets_in);
    visitor.output("bytes-in", config.bytes_in);
    visitor.output("packets-out", config.packets_out);
    visitor.output("bytes-out", config.bytes_out);
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("active-sessions", config.active_sessions);
  }
};

template <>
struct Members<k8slbrp::StatsSessionsTcpConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("opening", config.opening);
    visitor.output("answered", config.answered);
    visitor.output("established", config.established);
    visitor.output("client-closed", config.client_closed);
    visitor.output("server-closed", config.server_closed);
    visitor.output("closed", config.closed);
    visitor.output("reset", config.reset);
  }
};

template <>
struct Members<k8slbrp::StatsSessionsUdpConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("opening", config.opening);
    visitor.output("answered", config.answered);
    visitor.output("established", config.established);
  }
};

template <>
struct Members<k8slbrp::StatsSessionsIcmpConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("opening", config.opening);
    visitor.output("answered", config.answered);
    visitor.output("established", config.established);
  }
};

template <>
struct Members<k8slbrp::StatsSessionsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.container("tcp", config.tcp);
    visitor.container("udp", config.udp);
    visitor.container("icmp", config.icmp);
    visitor.output("expired", config.expired);
  }
};

template <>
struct Members<k8slbrp::StatsTableConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("name", config.name);
    visitor.output("entries", config.entries);
    visitor.output("limit", config.limit);
    visitor.output("evicted", config.evicted);
  }
};

template <>
struct Members<k8slbrp::StatsServiceBackendConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("ip", config.ip);
    visitor.output("name", config.name);
    visitor.output("port", config.port);
    visitor.output("packets-in", config.packets_in);
    visitor.output("bytes-in", config.bytes_in);
    visitor.output("packets-out", config.packets_out);
    visitor.output("bytes-out", config.bytes_out);
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("active-sessions", config.active_sessions);
  }
};

template <>
struct Members<k8slbrp::StatsServiceConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.required("vip", config.vip);
    visitor.required("vport", config.vport);
    visitor.required("proto", config.proto);
    visitor.output("name", config.name);
    visitor.output("packets-in", config.packets_in);
    visitor.output("bytes-in", config.bytes_in);
    visitor.output("packets-out", config.packets_out);
    visitor.output("bytes-out", config.bytes_out);
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("active-sessions", config.active_sessions);
    visitor.list("backend", config.backend);
  }
};

template <>
struct Members<k8slbrp::StatsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.output("new-sessions", config.new_sessions);
    visitor.output("resumed-sessions", config.resumed_sessions);
    visitor.output("rejected", config.rejected);
    visitor.output("not-promoted", config.not_promoted);
    visitor.container("frontend", config.frontend);
    visitor.container("backend", config.backend);
    visitor.container("drops", config.drops);
    visitor.container("punts", config.punts);
    visitor.container("other", config.other);
    visitor.container("sessions", config.sessions);
    visitor.list("table", config.table);
    visitor.list("service", config.service);
  }
};

template <>
struct Members<k8slbrp::SessionsFindInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("client", config.client);
    visitor.leaf("client-port", config.client_port);
    visitor.leaf("vip", config.vip);
    visitor.leaf("vport", config.vport);
    visitor.leaf("proto", config.proto);
    visitor.leaf("backend", config.backend);
    visitor.leaf("backend-port", config.backend_port);
    visitor.leaf("state", config.state);
    visitor.leaf("idle-min", config.idle_min);
    visitor.leaf("idle-max", config.idle_max);
    visitor.leaf("limit", config.limit, {{1, 1000}});
    visitor.leaf("after", config.after);
  }
};

template <>
struct Members<k8slbrp::SessionsEndInput> {
  template <typename Value, typename Visitor>
  static void visit(Value &config, Visitor &visitor) {
    visitor.leaf("client", config.client);
    visitor.leaf("client-port", config.client_port);
    visitor.leaf("vip", config.vip);
    visitor.leaf("vport", config.vport);
    visitor.leaf("proto", config.proto);
    visitor.leaf("backend", config.backend);
    visitor.leaf("backend-port", config.backend_port);
    visitor.leaf("state", config.state);
    visitor.leaf("idle-min", config.idle_min);
    visitor.leaf("idle-max", config.idle_max);
    visitor.leaf("reset", config.reset);
  }
};

template <>
struct Members<k8slbrp::SessionsConfig> {
  template <typename Value, typename Visitor>
  static void visit(Value &, Visitor &) {
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
    visitor.container("stats", config.stats);
    visitor.container("sessions", config.sessions);
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

std::string to_string(StatsServiceProto value) { return codegen::enum_text(value); }
StatsServiceProto stats_service_proto_from_string(const std::string &text) {
  return codegen::parse_enum<StatsServiceProto>(text);
}

std::string to_string(SessionsFindProto value) { return codegen::enum_text(value); }
SessionsFindProto sessions_find_proto_from_string(const std::string &text) {
  return codegen::parse_enum<SessionsFindProto>(text);
}

std::string to_string(SessionsFindState value) { return codegen::enum_text(value); }
SessionsFindState sessions_find_state_from_string(const std::string &text) {
  return codegen::parse_enum<SessionsFindState>(text);
}

std::string to_string(SessionsEndProto value) { return codegen::enum_text(value); }
SessionsEndProto sessions_end_proto_from_string(const std::string &text) {
  return codegen::parse_enum<SessionsEndProto>(text);
}

std::string to_string(SessionsEndState value) { return codegen::enum_text(value); }
SessionsEndState sessions_end_state_from_string(const std::string &text) {
  return codegen::parse_enum<SessionsEndState>(text);
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

bool StatsTableKey::operator==(const StatsTableKey &other) const {
  return std::tie(name) == std::tie(other.name);
}
bool StatsTableKey::operator<(const StatsTableKey &other) const {
  return std::tie(name) < std::tie(other.name);
}
std::string to_string(const StatsTableKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const StatsTableKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const StatsTableKey &key) { codegen::write_key_help(text, key); }

bool StatsServiceBackendKey::operator==(const StatsServiceBackendKey &other) const {
  return std::tie(ip) == std::tie(other.ip);
}
bool StatsServiceBackendKey::operator<(const StatsServiceBackendKey &other) const {
  return std::tie(ip) < std::tie(other.ip);
}
std::string to_string(const StatsServiceBackendKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const StatsServiceBackendKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const StatsServiceBackendKey &key) { codegen::write_key_help(text, key); }

bool StatsServiceKey::operator==(const StatsServiceKey &other) const {
  return std::tie(vip, vport, proto) == std::tie(other.vip, other.vport, other.proto);
}
bool StatsServiceKey::operator<(const StatsServiceKey &other) const {
  return std::tie(vip, vport, proto) < std::tie(other.vip, other.vport, other.proto);
}
std::string to_string(const StatsServiceKey &key) { return codegen::key_text(key); }
nlohmann::json to_json(const StatsServiceKey &key) { return codegen::key_json(key); }
void write_help(codegen::Text &text, const StatsServiceKey &key) { codegen::write_key_help(text, key); }

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

void write(codegen::Text &text, const ServiceBackendStatsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ServiceBackendStatsConfig &config, const char *leaf) {
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

void write(codegen::Text &text, const ServiceStatsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const ServiceStatsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
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

void write(codegen::Text &text, const StatsFrontendConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsFrontendConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsBackendConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsBackendConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsDropsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsDropsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsPuntsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsPuntsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsOtherConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsOtherConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsSessionsTcpConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsSessionsTcpConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsSessionsUdpConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsSessionsUdpConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsSessionsIcmpConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsSessionsIcmpConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsSessionsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsSessionsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsTableConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsTableConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsServiceBackendConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsServiceBackendConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsServiceConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsServiceConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

void write(codegen::Text &text, const StatsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const StatsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
}

SessionsFindInput sessions_find_input_from_json(const nlohmann::json &json) {
  return codegen::read_struct<SessionsFindInput>(json, "");
}

SessionsEndInput sessions_end_input_from_json(const nlohmann::json &json) {
  return codegen::read_struct<SessionsEndInput>(json, "");
}

void write(codegen::Text &text, const SessionsConfig &config) { codegen::write_struct(text, config); }
void write_leaf(codegen::Text &text, const SessionsConfig &config, const char *leaf) {
  codegen::write_leaf(text, config, leaf);
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
