// Generated from k8slbrp.yang by codegen. Do not edit.
//
// What the service implements. Methods run in several threads at once, but none before make_cube has returned
// or after the destructor has begun. Keys of enclosing lists come first, outermost first. A failure is an
// exception, and a method that throws leaves everything as it was: writing several entries is all or nothing.
//
// A list hands its entries to `show`, one after the other. Do not call it with a lock held that writers need:
// it formats text, and a list may be long. The entries may be as they are at different moments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config.h"
#include "reading.h"

namespace k8slbrp {

using codegen::Depth;
using codegen::Show;

class CubeApi {
 public:
  virtual ~CubeApi() = default;

  // Leaves and containers only: the lists have methods of their own, and `base` is what read_base() returns.
  virtual CubeConfig read() = 0;
  virtual nlohmann::json read_base() = 0;
  virtual void update(const CubeConfig &config) = 0;

  // ports
  virtual PortsConfig read_ports(const PortsKey &key) = 0;
  virtual void read_ports_list(const Show<PortsConfig> &show) = 0;
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

  // service/backend/stats
  virtual ServiceBackendStatsConfig read_service_backend_stats(const ServiceKey &service,
                                                               const ServiceBackendKey &service_backend) = 0;

  // service/backend
  virtual ServiceBackendConfig read_service_backend(const ServiceKey &service,
                                                    const ServiceBackendKey &key,
                                                    Depth depth) = 0;
  virtual void read_service_backend_list(const ServiceKey &service,
                                         Depth depth,
                                         const Show<ServiceBackendConfig> &show) = 0;
  virtual void create_service_backend(const ServiceKey &service,
                                      const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void replace_service_backend(const ServiceKey &service, const ServiceBackendConfig &entry) = 0;
  virtual void replace_service_backend_list(const ServiceKey &service,
                                            const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void update_service_backend(const ServiceKey &service,
                                      const std::vector<ServiceBackendConfig> &entries) = 0;
  virtual void delete_service_backend(const ServiceKey &service, const ServiceBackendKey &key) = 0;
  virtual void delete_service_backend_list(const ServiceKey &service) = 0;

  // service/stats
  virtual ServiceStatsConfig read_service_stats(const ServiceKey &service) = 0;

  // service/source-range
  virtual ServiceSourceRangeConfig read_service_source_range(const ServiceKey &service,
                                                             const ServiceSourceRangeKey &key) = 0;
  virtual void read_service_source_range_list(const ServiceKey &service,
                                              const Show<ServiceSourceRangeConfig> &show) = 0;
  virtual void create_service_source_range(const ServiceKey &service,
                                           const std::vector<ServiceSourceRangeConfig> &entries) = 0;
  virtual void replace_service_source_range(const ServiceKey &service,
                                            const ServiceSourceRangeConfig &entry) = 0;
  virtual void replace_service_source_range_list(const ServiceKey &service,
                                                 const std::vector<ServiceSourceRangeConfig> &entries) = 0;
  virtual void update_service_source_range(const ServiceKey &service,
                                           const std::vector<ServiceSourceRangeConfig> &entries) = 0;
  virtual void delete_service_source_range(const ServiceKey &service, const ServiceSourceRangeKey &key) = 0;
  virtual void delete_service_source_range_list(const ServiceKey &service) = 0;

  // service
  virtual ServiceConfig read_service(const ServiceKey &key, Depth depth) = 0;
  virtual void read_service_list(Depth depth, const Show<ServiceConfig> &show) = 0;
  virtual void create_service(const std::vector<ServiceConfig> &entries) = 0;
  virtual void replace_service(const ServiceConfig &entry) = 0;
  virtual void replace_service_list(const std::vector<ServiceConfig> &entries) = 0;
  virtual void update_service(const std::vector<ServiceConfig> &entries) = 0;
  virtual void delete_service(const ServiceKey &key) = 0;
  virtual void delete_service_list() = 0;

  // timeouts
  virtual TimeoutsConfig read_timeouts() = 0;
  virtual void replace_timeouts(const TimeoutsConfig &config) = 0;
  virtual void update_timeouts(const TimeoutsConfig &config) = 0;
  virtual void delete_timeouts() = 0;

  // stats/frontend
  virtual StatsFrontendConfig read_stats_frontend() = 0;

  // stats/backend
  virtual StatsBackendConfig read_stats_backend() = 0;

  // stats/drops
  virtual StatsDropsConfig read_stats_drops() = 0;

  // stats/punts
  virtual StatsPuntsConfig read_stats_punts() = 0;

  // stats/other
  virtual StatsOtherConfig read_stats_other() = 0;

  // stats/sessions/tcp
  virtual StatsSessionsTcpConfig read_stats_sessions_tcp() = 0;

  // stats/sessions/udp
  virtual StatsSessionsUdpConfig read_stats_sessions_udp() = 0;

  // stats/sessions/icmp
  virtual StatsSessionsIcmpConfig read_stats_sessions_icmp() = 0;

  // stats/sessions
  virtual StatsSessionsConfig read_stats_sessions(Depth depth) = 0;

  // stats/table
  virtual StatsTableConfig read_stats_table(const StatsTableKey &key) = 0;
  virtual void read_stats_table_list(const Show<StatsTableConfig> &show) = 0;

  // stats/service/backend
  virtual StatsServiceBackendConfig read_stats_service_backend(const StatsServiceKey &stats_service,
                                                               const StatsServiceBackendKey &key) = 0;
  virtual void read_stats_service_backend_list(const StatsServiceKey &stats_service,
                                               const Show<StatsServiceBackendConfig> &show) = 0;

  // stats/service
  virtual StatsServiceConfig read_stats_service(const StatsServiceKey &key, Depth depth) = 0;
  virtual void read_stats_service_list(Depth depth, const Show<StatsServiceConfig> &show) = 0;

  // stats
  virtual StatsConfig read_stats(Depth depth) = 0;

  // sessions/find
  virtual nlohmann::json sessions_find(const SessionsFindInput &input) = 0;

  // sessions/end
  virtual nlohmann::json sessions_end(const SessionsEndInput &input) = 0;

  // sessions
  virtual SessionsConfig read_sessions() = 0;
};

// Implemented by the service.
std::shared_ptr<CubeApi> make_cube(const CubeConfig &config);

}  // namespace k8slbrp
