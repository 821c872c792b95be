// What REST reads of counters and sessions. Services are looked up under the configuration lock, as for any
// reading; maps are read without it.
#include <sys/sysinfo.h>

#include <algorithm>

#include "Ipv4.h"
#include "K8slbrp.h"
#include "SessionSearch.h"

namespace k8slbrp {
namespace {

ServiceProto proto_of(StatsServiceProto proto) {
  return proto == StatsServiceProto::Tcp   ? ServiceProto::Tcp
         : proto == StatsServiceProto::Udp ? ServiceProto::Udp
                                           : ServiceProto::Icmp;
}

StatsServiceProto proto_of(ServiceProto proto) {
  return proto == ServiceProto::Tcp   ? StatsServiceProto::Tcp
         : proto == ServiceProto::Udp ? StatsServiceProto::Udp
                                      : StatsServiceProto::Icmp;
}

ServiceKey key_of(const StatsServiceKey &key) { return {key.vip, key.vport, proto_of(key.proto)}; }

template <class Entries, class Key>
auto find_entry(Entries &&entries, const Key &key) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const auto &entry) { return entry.key() == key; });
  if (found == entries.end()) throw missing(to_string(key) + " does not exist");
  return *found;
}

}  // namespace

StatsConfig K8slbrp::read_stats(Depth depth) {
  StatsConfig config;
  config.new_sessions = statistics_.event(abi::EVENT_NEW_SESSION);
  config.resumed_sessions = statistics_.resumed_sessions();
  config.rejected = statistics_.event(abi::EVENT_REJECTED);
  config.not_promoted = statistics_.event(abi::EVENT_NOT_PROMOTED);
  if (depth == Depth::Leaves) return config;
  config.frontend = statistics_.frontend();
  config.backend = statistics_.backend();
  config.drops = statistics_.drops();
  config.punts = statistics_.punts();
  config.other = statistics_.other();
  config.sessions = statistics_.sessions();
  config.table = tables();
  return config;
}

StatsSessionsConfig K8slbrp::read_stats_sessions(Depth) { return statistics_.sessions(); }

// --- tables ---

std::vector<StatsTableConfig> K8slbrp::tables() {
  const auto cpus = static_cast<uint32_t>(get_nprocs_conf());
  const auto tally = statistics_.tally();
  const auto fill = [&] {
    const ReadLock lock(mutex_);
    return services_.fill();
  }();
  std::vector<StatsTableConfig> tables;
  const auto add = [&](const char *name, std::size_t entries, uint32_t limit) {
    StatsTableConfig table;
    table.name = name;
    table.entries = static_cast<uint32_t>(entries);
    table.limit = limit;
    tables.push_back(std::move(table));
  };
  add("clients", tally->entries(SessionMap::Clients), CLIENT_ENTRIES(max_sessions_));
  add("openings", tally->entries(SessionMap::Openings), OPENING_ENTRIES(max_sessions_));
  tables[0].evicted = tally->evicted(SessionMap::Clients);
  tables[1].evicted = tally->evicted(SessionMap::Openings);
  add("flows", tally->entries(SessionMap::Flows), FLOW_ENTRIES(max_sessions_));
  add("fragments", tally->fragments(), FRAGMENT_ENTRIES(cpus));
  add("affinities", tally->affinities(), AFFINITY_ENTRIES(max_sessions_, cpus));
  add("source_ranges", tally->source_ranges(), MAX_SOURCE_RANGES);
  add("services", fill.services, MAX_SERVICES);
  add("vips", fill.vips, MAX_SERVICES);
  add("endpoints", fill.endpoints, MAX_ENDPOINTS);
  add("chunks", fill.chunks, MAX_CHUNKS);
  add("traffic", traffic_.used() + 1, traffic_.limit());
  return tables;
}

StatsTableConfig K8slbrp::read_stats_table(const StatsTableKey &key) { return find_entry(tables(), key); }

void K8slbrp::read_stats_table_list(const Show<StatsTableConfig> &show) {
  for (const auto &table : tables()) show(table);
}

// --- services and backends ---

ServiceStatsConfig K8slbrp::read_service_stats(const ServiceKey &key) {
  const auto tally = statistics_.tally();
  const auto ids = [&] {
    const ReadLock lock(mutex_);
    return services_.ids(key);
  }();
  ServiceStatsConfig config;
  abi::traffic sum{};
  uint32_t active = 0;
  for (const auto &id : ids) {
    add(sum, traffic_.of(id));
    active += tally->active(id);
  }
  show_traffic(sum, config);
  config.active_sessions = active;
  return config;
}

// A backend that has no number shows its sessions only.
ServiceBackendStatsConfig K8slbrp::read_service_backend_stats(const ServiceKey &key,
                                                              const ServiceBackendKey &backend) {
  const auto tally = statistics_.tally();
  std::vector<ServiceId> ids;
  uint32_t ip = 0;
  {
    const ReadLock lock(mutex_);
    ids = services_.ids(key);
    ip = services_.backend_ip(key, backend);
  }
  ServiceBackendStatsConfig config;
  std::optional<abi::traffic> sum;
  uint32_t active = 0;
  for (const auto &id : ids) {
    if (const auto figures = traffic_.of(id, ip)) add(sum ? *sum : sum.emplace(), *figures);
    active += tally->active(id, ip);
  }
  if (sum) show_traffic(*sum, config);
  config.active_sessions = active;
  return config;
}

StatsServiceConfig K8slbrp::stats_of(const ServiceId &id, const ServiceConfig &service) {
  const auto tally = statistics_.tally();
  StatsServiceConfig config;
  config.vip = service.vip;
  config.vport = service.vport;
  config.proto = proto_of(service.proto);
  config.name = service.name;
  show_traffic(traffic_.of(id), config);
  config.active_sessions = tally->active(id);
  for (const auto &backend : service.backend) {
    const uint32_t ip = parse_ipv4("ip", backend.ip);
    StatsServiceBackendConfig shown;
    shown.ip = backend.ip;
    shown.name = backend.name;
    shown.port = backend.port;
    if (const auto figures = traffic_.of(id, ip)) show_traffic(*figures, shown);
    shown.active_sessions = tally->active(id, ip);
    config.backend.push_back(std::move(shown));
  }
  return config;
}

StatsServiceConfig K8slbrp::read_stats_service(const StatsServiceKey &key, Depth) {
  const auto [id, service] = [&] {
    const ReadLock lock(mutex_);
    return std::pair(services_.ids(key_of(key)).front(), services_.read(key_of(key), Depth::All));
  }();
  return stats_of(id, service);
}

void K8slbrp::read_stats_service_list(Depth depth, const Show<StatsServiceConfig> &show) {
  each_service(depth, [&](const ServiceId &id, const ServiceConfig &config) { show(stats_of(id, config)); });
}

StatsServiceBackendConfig K8slbrp::read_stats_service_backend(const StatsServiceKey &service,
                                                              const StatsServiceBackendKey &key) {
  return find_entry(read_stats_service(service, Depth::All).backend, key);
}

void K8slbrp::read_stats_service_backend_list(const StatsServiceKey &service,
                                              const Show<StatsServiceBackendConfig> &show) {
  for (const auto &backend : read_stats_service(service, Depth::All).backend) show(backend);
}

// --- sessions ---

nlohmann::json K8slbrp::sessions_find(const SessionsFindInput &input) {
  return find_sessions(*this, openings_, input);
}

nlohmann::json K8slbrp::sessions_end(const SessionsEndInput &input) {
  return end_sessions(*this, openings_, statistics_.evictions(), input);
}

}  // namespace k8slbrp
