// Generated from k8slbrp.yang by codegen. Do not edit.
//
// Every symbol the host looks up. The libpolycube globals are defined here, too.
#include <polycube/services/cube_factory.h>
#pragma GCC visibility push(default)
#include <polycube/services/shared_library.h>
#pragma GCC visibility pop

#include "data_model.h"
#include "dispatch.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

#define READ(symbol, reply)                                                 \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count) { \
    return answer([&] {                                                     \
      const Request request{cube ? cube : "", Keys(keys, count), {}};       \
      return reply;                                                         \
    });                                                                     \
  }

#define WRITE(symbol, reply)                                                                   \
  EXPORT Response symbol(const char *cube, const Key *keys, size_t count, const char *body) { \
    return answer([&] {                                                                        \
      const Request request{cube ? cube : "", Keys(keys, count), nlohmann::json::parse(body)}; \
      return reply;                                                                            \
    });                                                                                        \
  }

namespace k8slbrp {

template <>
PortsKey key_from<PortsKey>(const Keys &keys) {
  return {keys.text("ports_name")};
}

template <>
ServiceBackendKey key_from<ServiceBackendKey>(const Keys &keys) {
  return {keys.text("ip")};
}

template <>
ServiceKey key_from<ServiceKey>(const Keys &keys) {
  return {keys.text("vip"), keys.number<uint16_t>("vport"), keys.choice("proto", service_proto_from_string)};
}

namespace {

constexpr List<PortsConfig> kPorts = {
    {},
    &CubeApi::read_ports,
    &CubeApi::read_ports_list,
    ports_config_from_json,
    ports_list_from_json,
    &CubeApi::create_ports,
    &CubeApi::replace_ports,
    &CubeApi::replace_ports_list,
    &CubeApi::update_ports,
    &CubeApi::delete_ports,
    &CubeApi::delete_ports_list,
};

constexpr Container<SrcIpRewriteConfig> kSrcIpRewrite = {
    {},
    &CubeApi::read_src_ip_rewrite,
    src_ip_rewrite_config_from_json,
    &CubeApi::replace_src_ip_rewrite,
    &CubeApi::update_src_ip_rewrite,
    &CubeApi::delete_src_ip_rewrite,
};

constexpr List<ServiceBackendConfig, ServiceKey> kServiceBackend = {
    {},
    &CubeApi::read_service_backend,
    &CubeApi::read_service_backend_list,
    service_backend_config_from_json,
    service_backend_list_from_json,
    &CubeApi::create_service_backend,
    &CubeApi::replace_service_backend,
    &CubeApi::replace_service_backend_list,
    &CubeApi::update_service_backend,
    &CubeApi::delete_service_backend,
    &CubeApi::delete_service_backend_list,
};

constexpr List<ServiceConfig> kService = {
    {},
    &CubeApi::read_service,
    &CubeApi::read_service_list,
    service_config_from_json,
    service_list_from_json,
    &CubeApi::create_service,
    &CubeApi::replace_service,
    &CubeApi::replace_service_list,
    &CubeApi::update_service,
    &CubeApi::delete_service,
    &CubeApi::delete_service_list,
};

}  // namespace

EXPORT const char *data_model() { return data_model_text; }

EXPORT Response k8slbrp_list_by_id_help() { return answer(help_cubes); }
WRITE(create_k8slbrp_by_id_handler, create_cube(request))
WRITE(replace_k8slbrp_by_id_handler, replace_cube(request))
WRITE(update_k8slbrp_by_id_handler, update_cube(request))
READ(read_k8slbrp_by_id_handler, read_cube(request))
READ(delete_k8slbrp_by_id_handler, delete_cube(request))
READ(read_k8slbrp_list_by_id_handler, read_cubes(request))
WRITE(update_k8slbrp_list_by_id_handler, update_cubes(request))
READ(read_k8slbrp_port_mode_by_id_handler, read_leaf(request, "port_mode"))
WRITE(update_k8slbrp_port_mode_by_id_handler, update_leaf(request, "port_mode"))
READ(read_k8slbrp_max_sessions_by_id_handler, read_leaf(request, "max-sessions"))
WRITE(create_k8slbrp_ports_by_id_handler, create_entry(request, kPorts))
WRITE(create_k8slbrp_ports_list_by_id_handler, create_list(request, kPorts))
WRITE(replace_k8slbrp_ports_by_id_handler, replace_entry(request, kPorts))
WRITE(replace_k8slbrp_ports_list_by_id_handler, replace_list(request, kPorts))
WRITE(update_k8slbrp_ports_by_id_handler, update_entry(request, kPorts))
WRITE(update_k8slbrp_ports_list_by_id_handler, update_list(request, kPorts))
READ(read_k8slbrp_ports_by_id_handler, read_entry(request, kPorts))
READ(read_k8slbrp_ports_list_by_id_handler, read_list(request, kPorts))
READ(delete_k8slbrp_ports_by_id_handler, delete_entry(request, kPorts))
READ(delete_k8slbrp_ports_list_by_id_handler, delete_list(request, kPorts))
READ(k8slbrp_ports_list_by_id_help, help_list(request, kPorts))
READ(read_k8slbrp_ports_type_by_id_handler, read_leaf(request, kPorts, "type"))
WRITE(update_k8slbrp_ports_type_by_id_handler, update_leaf(request, kPorts, "type"))
READ(read_k8slbrp_ports_ip_by_id_handler, read_leaf(request, kPorts, "ip"))
WRITE(update_k8slbrp_ports_ip_by_id_handler, update_leaf(request, kPorts, "ip"))
WRITE(create_k8slbrp_src_ip_rewrite_by_id_handler, replace_container(request, kSrcIpRewrite))
WRITE(replace_k8slbrp_src_ip_rewrite_by_id_handler, replace_container(request, kSrcIpRewrite))
WRITE(update_k8slbrp_src_ip_rewrite_by_id_handler, update_container(request, kSrcIpRewrite))
READ(read_k8slbrp_src_ip_rewrite_by_id_handler, read_container(request, kSrcIpRewrite))
READ(delete_k8slbrp_src_ip_rewrite_by_id_handler, delete_container(request, kSrcIpRewrite))
READ(read_k8slbrp_src_ip_rewrite_ip_range_by_id_handler, read_leaf(request, kSrcIpRewrite, "ip-range"))
WRITE(update_k8slbrp_src_ip_rewrite_ip_range_by_id_handler, update_leaf(request, kSrcIpRewrite, "ip-range"))
READ(read_k8slbrp_src_ip_rewrite_new_ip_range_by_id_handler, read_leaf(request, kSrcIpRewrite, "new_ip_range"))
WRITE(update_k8slbrp_src_ip_rewrite_new_ip_range_by_id_handler, update_leaf(request, kSrcIpRewrite, "new_ip_range"))
WRITE(create_k8slbrp_service_by_id_handler, create_entry(request, kService))
WRITE(create_k8slbrp_service_list_by_id_handler, create_list(request, kService))
WRITE(replace_k8slbrp_service_by_id_handler, replace_entry(request, kService))
WRITE(replace_k8slbrp_service_list_by_id_handler, replace_list(request, kService))
WRITE(update_k8slbrp_service_by_id_handler, update_entry(request, kService))
WRITE(update_k8slbrp_service_list_by_id_handler, update_list(request, kService))
READ(read_k8slbrp_service_by_id_handler, read_entry(request, kService))
READ(read_k8slbrp_service_list_by_id_handler, read_list(request, kService))
READ(delete_k8slbrp_service_by_id_handler, delete_entry(request, kService))
READ(delete_k8slbrp_service_list_by_id_handler, delete_list(request, kService))
READ(k8slbrp_service_list_by_id_help, help_list(request, kService))
READ(read_k8slbrp_service_name_by_id_handler, read_leaf(request, kService, "name"))
WRITE(update_k8slbrp_service_name_by_id_handler, update_leaf(request, kService, "name"))
WRITE(create_k8slbrp_service_backend_by_id_handler, create_entry(request, kServiceBackend))
WRITE(create_k8slbrp_service_backend_list_by_id_handler, create_list(request, kServiceBackend))
WRITE(replace_k8slbrp_service_backend_by_id_handler, replace_entry(request, kServiceBackend))
WRITE(replace_k8slbrp_service_backend_list_by_id_handler, replace_list(request, kServiceBackend))
WRITE(update_k8slbrp_service_backend_by_id_handler, update_entry(request, kServiceBackend))
WRITE(update_k8slbrp_service_backend_list_by_id_handler, update_list(request, kServiceBackend))
READ(read_k8slbrp_service_backend_by_id_handler, read_entry(request, kServiceBackend))
READ(read_k8slbrp_service_backend_list_by_id_handler, read_list(request, kServiceBackend))
READ(delete_k8slbrp_service_backend_by_id_handler, delete_entry(request, kServiceBackend))
READ(delete_k8slbrp_service_backend_list_by_id_handler, delete_list(request, kServiceBackend))
READ(k8slbrp_service_backend_list_by_id_help, help_list(request, kServiceBackend))
READ(read_k8slbrp_service_backend_name_by_id_handler, read_leaf(request, kServiceBackend, "name"))
WRITE(update_k8slbrp_service_backend_name_by_id_handler, update_leaf(request, kServiceBackend, "name"))
READ(read_k8slbrp_service_backend_port_by_id_handler, read_leaf(request, kServiceBackend, "port"))
WRITE(update_k8slbrp_service_backend_port_by_id_handler, update_leaf(request, kServiceBackend, "port"))
READ(read_k8slbrp_service_backend_weight_by_id_handler, read_leaf(request, kServiceBackend, "weight"))
WRITE(update_k8slbrp_service_backend_weight_by_id_handler, update_leaf(request, kServiceBackend, "weight"))

}  // namespace k8slbrp
