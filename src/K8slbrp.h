// The cube: what REST asks of it, brought to the host's ports and to the maps of the datapath.
#pragma once

#include <polycube/services/cube.h>

#include <functional>
#include <memory>
#include <vector>

#include "ConfigMutex.h"
#include "HeldFragments.h"
#include "PortTable.h"
#include "Services.h"
#include "SessionReaper.h"
#include "Statistics.h"
#include "SrcIpRewrite.h"
#include "Timeouts.h"
#include "TrafficTable.h"
#include "api.h"

namespace k8slbrp {

// Locks. `mutex_` guards the configuration: every method that changes it holds it throughout, so changes to
// one cube are made one after the other. Reading a list takes it anew for each entry. packet_in() comes with
// the host's cube_mutex held, which remove_port() takes too; therefore it never takes `mutex_`, and reads
// only `view_`, an immutable copy exchanged atomically.
class K8slbrp final : public CubeApi, public polycube::service::Cube<Ports> {
 public:
  explicit K8slbrp(const CubeConfig &config);
  ~K8slbrp() override;

  CubeConfig read() override;
  nlohmann::json read_base() override { return to_json(); }
  void update(const CubeConfig &config) override;

  void create_ports(const std::vector<PortsConfig> &configs) override;
  void replace_ports(const PortsConfig &config) override;
  void replace_ports_list(const std::vector<PortsConfig> &configs) override;
  void update_ports(const std::vector<PortsConfig> &configs) override;
  void delete_ports(const PortsKey &key) override;
  void delete_ports_list() override;
  PortsConfig read_ports(const PortsKey &key) override;
  void read_ports_list(const Show<PortsConfig> &show) override;

  void replace_src_ip_rewrite(const SrcIpRewriteConfig &config) override;
  void update_src_ip_rewrite(const SrcIpRewriteConfig &config) override;
  void delete_src_ip_rewrite() override;
  SrcIpRewriteConfig read_src_ip_rewrite() override;

  void replace_timeouts(const TimeoutsConfig &config) override;
  void update_timeouts(const TimeoutsConfig &config) override;
  void delete_timeouts() override;
  TimeoutsConfig read_timeouts() override;

  void create_service(const std::vector<ServiceConfig> &configs) override;
  void replace_service(const ServiceConfig &config) override;
  void replace_service_list(const std::vector<ServiceConfig> &configs) override;
  void update_service(const std::vector<ServiceConfig> &configs) override;
  void delete_service(const ServiceKey &key) override;
  void delete_service_list() override;
  ServiceConfig read_service(const ServiceKey &key, Depth depth) override;
  void read_service_list(Depth depth, const Show<ServiceConfig> &show) override;

  void create_service_backend(const ServiceKey &service,
                              const std::vector<ServiceBackendConfig> &configs) override;
  void replace_service_backend(const ServiceKey &service, const ServiceBackendConfig &config) override;
  void replace_service_backend_list(const ServiceKey &service,
                                    const std::vector<ServiceBackendConfig> &configs) override;
  void update_service_backend(const ServiceKey &service,
                              const std::vector<ServiceBackendConfig> &configs) override;
  void delete_service_backend(const ServiceKey &service, const ServiceBackendKey &key) override;
  void delete_service_backend_list(const ServiceKey &service) override;
  ServiceBackendConfig read_service_backend(const ServiceKey &service, const ServiceBackendKey &key,
                                            Depth depth) override;
  void read_service_backend_list(const ServiceKey &service, Depth depth,
                                 const Show<ServiceBackendConfig> &show) override;

  ServiceStatsConfig read_service_stats(const ServiceKey &service) override;
  ServiceBackendStatsConfig read_service_backend_stats(const ServiceKey &service,
                                                       const ServiceBackendKey &backend) override;
  StatsConfig read_stats(Depth depth) override;
  StatsFrontendConfig read_stats_frontend() override { return statistics_.frontend(); }
  StatsBackendConfig read_stats_backend() override { return statistics_.backend(); }
  StatsDropsConfig read_stats_drops() override { return statistics_.drops(); }
  StatsPuntsConfig read_stats_punts() override { return statistics_.punts(); }
  StatsOtherConfig read_stats_other() override { return statistics_.other(); }
  StatsSessionsConfig read_stats_sessions(Depth depth) override;
  StatsSessionsTcpConfig read_stats_sessions_tcp() override { return statistics_.tcp(); }
  StatsSessionsUdpConfig read_stats_sessions_udp() override { return statistics_.udp(); }
  StatsSessionsIcmpConfig read_stats_sessions_icmp() override { return statistics_.icmp(); }
  StatsTableConfig read_stats_table(const StatsTableKey &key) override;
  void read_stats_table_list(const Show<StatsTableConfig> &show) override;
  StatsServiceConfig read_stats_service(const StatsServiceKey &key, Depth depth) override;
  void read_stats_service_list(Depth depth, const Show<StatsServiceConfig> &show) override;
  StatsServiceBackendConfig read_stats_service_backend(const StatsServiceKey &service,
                                                       const StatsServiceBackendKey &key) override;
  void read_stats_service_backend_list(const StatsServiceKey &service,
                                       const Show<StatsServiceBackendConfig> &show) override;

  SessionsConfig read_sessions() override { return {}; }
  nlohmann::json sessions_find(const SessionsFindInput &input) override;
  nlohmann::json sessions_end(const SessionsEndInput &input) override;

  void create_service_source_range(const ServiceKey &service,
                                   const std::vector<ServiceSourceRangeConfig> &configs) override;
  void replace_service_source_range(const ServiceKey &service,
                                    const ServiceSourceRangeConfig &config) override;
  void replace_service_source_range_list(const ServiceKey &service,
                                         const std::vector<ServiceSourceRangeConfig> &configs) override;
  void update_service_source_range(const ServiceKey &service,
                                   const std::vector<ServiceSourceRangeConfig> &configs) override;
  void delete_service_source_range(const ServiceKey &service, const ServiceSourceRangeKey &key) override;
  void delete_service_source_range_list(const ServiceKey &service) override;
  ServiceSourceRangeConfig read_service_source_range(const ServiceKey &service,
                                                     const ServiceSourceRangeKey &key) override;
  void read_service_source_range_list(const ServiceKey &service,
                                      const Show<ServiceSourceRangeConfig> &show) override;

  void packet_in(Ports &port, polycube::service::PacketInMetadata &metadata,
                 const std::vector<uint8_t> &packet) override;

 private:
  std::shared_ptr<Ports> find_port(const std::string &name) const;
  struct Settings {
    Timeouts timeouts;
    UnservedPorts unserved_ports = UnservedPorts::Pass;
  };

  struct Initial;
  explicit K8slbrp(Initial initial);

  void each_service(Depth depth, const std::function<void(const ServiceId &, const ServiceConfig &)> &use);
  StatsServiceConfig stats_of(const ServiceId &id, const ServiceConfig &service);
  std::vector<StatsTableConfig> tables();

  void set_rewrite(const SrcIpRewrite &wanted);
  void set_settings(const Settings &wanted);
  void apply(const Services::Changes &changes) { services_.prepare(changes).commit(); }

  ConfigMutex mutex_;
  const PortMode mode_;
  const uint32_t max_sessions_;
  SrcIpRewrite rewrite_;
  Settings settings_;
  const OpenMaps maps_;
  const Openings openings_;
  TrafficTable traffic_;
  Services services_;
  PortTable ports_;
  Statistics statistics_;
  HeldFragments fragments_;  // of packet_in() alone
  std::unique_ptr<SessionReaper> reaper_;
};

}  // namespace k8slbrp
