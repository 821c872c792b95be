// Generated from k8slbrp.yang by codegen. Do not edit.
//
// What the service implements. Methods run in several threads at once, but none before make_cube has returned
// or after the destructor has begun. Keys of enclosing lists come first, outermost first. A failure is an
// exception, and a method that throws leaves everything as it was: writing several entries is all or nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config.h"
#include "errors.h"

namespace k8slbrp {

class CubeApi {
 public:
  virtual ~CubeApi() = default;

  virtual CubeConfig read() = 0;
  virtual void update(const CubeConfig &config) = 0;

  // ports
  virtual PortsConfig read_ports(const PortsKey &key) = 0;
  virtual std::vector<PortsConfig> read_ports_list() = 0;
  virtual void create_ports(const std::vector<PortsConfig> &entries) = 0;
  virtual void replace_ports(const PortsConfig &entry) = 0;
  virtual void replace_ports_list(const std::vector<PortsConfig> &entries) = 0;
  virtual void update_ports(const std::vector<PortsConfig> &entries) = 0;
  virtual void delete_ports(const PortsKey &key) = 0;
  virtual void delete_ports_list() = 0;

  // src-ip-rewrite
  virtual SrcIpRewriteConfig read_src_ip_rewrite() = 0;
  virtual void replace_src_ip_rewrite(const SrcIpRewriteConfig &config) = 0;
  virtual void update_src_ip_rewrite(const SrcIpRewriteConfig &config) = 0;
  virtual void delete_src_ip_rewrite() = 0;

  // service/backend
  virtual ServiceBackendConfig read_service_backend(const ServiceKey &service,
                                                    const ServiceBackendKey &key) = 0;
  virtual std::vector<ServiceBackendConfig> read_service_backend_list(const ServiceKey &service) = 0;
  virtual void create_service_backend(const ServiceKey &service,
                                      const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void replace_service_backend(const ServiceKey &service, const ServiceBackendConfig &entry) = 0;
  virtual void replace_service_backend_list(const ServiceKey &service,
                                            const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void update_service_backend(const ServiceKey &service,
                                      const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void delete_service_backend(const ServiceKey &service, const ServiceBackendKey &key) = 0;
  virtual void delete_service_backend_list(const ServiceKey &service) = 0;

  // service
  virtual ServiceConfig read_service(const ServiceKey &key) = 0;
  virtual std::vector<ServiceConfig> read_service_list() = 0;
  virtual void create_service(const std::vector<ServiceConfig> &entries) = 0;
  virtual void replace_service(const ServiceConfig &entry) = 0;
  virtual void replace_service_list(const std::vector<ServiceConfig> &entries) = 0;
  virtual void update_service(const std::vector<ServiceConfig> &entries) = 0;
  virtual void delete_service(const ServiceKey &key) = 0;
  virtual void delete_service_list() = 0;
};

// Implemented by the service.
std::shared_ptr<CubeApi> make_cube(const CubeConfig &config);

}  // namespace k8slbrp
