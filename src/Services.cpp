#include "Services.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "Ipv4.h"
#include "config.h"

namespace k8slbrp {
namespace {

constexpr std::size_t kMaxNameLength = 255;
constexpr std::size_t kReadTogether = 256;  // services and backends: some 50 KiB

std::string checked_name(const std::string &name) {
  if (name.size() > kMaxNameLength)
    throw bad_value("name: " + std::to_string(name.size()) + " characters are too long, allowed 0.." +
                    std::to_string(kMaxNameLength));
  return name;
}

bool is_loopback(uint32_t host) { return host >> 24 == IN_LOOPBACKNET; }

uint32_t parse_vip(const std::string &text) {
  const uint32_t vip = parse_ipv4("vip", text);
  const uint32_t host = ntohl(vip);
  if (host == INADDR_ANY || host == INADDR_BROADCAST || IN_MULTICAST(host) || is_loopback(host))
    throw bad_value("vip: " + text + " cannot be the address of a service, expected a unicast address");
  return vip;
}

// Packets to a backend leave the host of their client: so Kubernetes refuses these, too.
uint32_t parse_backend(const std::string &text) {
  const uint32_t ip = parse_ipv4("ip", text);
  const uint32_t host = ntohl(ip);
  const bool link_local = host >> 16 == 0xa9fe;
  if (host == INADDR_ANY || host == INADDR_BROADCAST || IN_MULTICAST(host) || is_loopback(host) || link_local)
    throw bad_value("ip: " + text +
                    " cannot be the address of a backend, expected a unicast address, neither loopback nor " +
                    "link-local");
  return ip;
}

// No packet of TCP or UDP can be sent to port 0, so nobody would ever reach what has it.
uint16_t checked_port(const char *leaf, uint16_t port, ServiceProto proto) {
  if (port == 0 && proto != ServiceProto::Icmp)
    throw bad_value(std::string(leaf) + ": 0 is not possible with proto " + to_string(proto) +
                    ", allowed 1..65535");
  return port;
}

// The services behind a key: one, or the three that ALL stands for.
std::vector<ServiceId> ids_of(const ServiceKey &key) {
  const uint32_t vip = parse_vip(key.vip);
  checked_port("vport", key.vport, key.proto);
  if (key.proto == ServiceProto::All)
    return {{vip, key.vport, IPPROTO_TCP}, {vip, key.vport, IPPROTO_UDP}, {vip, 0, IPPROTO_ICMP}};
  if (key.proto == ServiceProto::Icmp && key.vport != 0)
    throw bad_value("vport: " + std::to_string(key.vport) + " is not possible with proto ICMP, allowed 0");
  if (key.proto == ServiceProto::Icmp) return {{vip, 0, IPPROTO_ICMP}};
  return {{vip, key.vport, static_cast<uint8_t>(key.proto == ServiceProto::Tcp ? IPPROTO_TCP : IPPROTO_UDP)}};
}

ServiceProto proto_of(const ServiceId &id) {
  if (id.protocol == IPPROTO_TCP) return ServiceProto::Tcp;
  return id.protocol == IPPROTO_UDP ? ServiceProto::Udp : ServiceProto::Icmp;
}

ServiceKey key_of(const ServiceId &id) { return {format_ipv4(id.vip), id.port, proto_of(id)}; }

ServiceError no_service(const ServiceKey &key) {
  return missing("Service " + to_string(key) + " does not exist");
}

ServiceError no_backend(const std::string &ip) {
  return missing("Backend " + ip + " does not exist in the service");
}

Backend new_backend(const ServiceBackendConfig &config, ServiceProto proto) {
  if (!config.port) throw bad_value("port: missing in backend " + config.ip);
  return {checked_name(config.name.value_or("")), checked_port("port", *config.port, proto),
          config.weight.value_or(1), config.state.value_or(ServiceBackendState::Active)};
}

void add_backends(Service &service, const std::vector<ServiceBackendConfig> &configs, ServiceProto proto) {
  std::map<uint32_t, Backend> added;
  for (const auto &config : configs) {
    const auto [backend, is_new] = added.emplace(parse_backend(config.ip), new_backend(config, proto));
    if (!is_new || service.backends.find(backend->first) != service.backends.end())
      throw already_exists("Backend " + config.ip +
                           " already exists in the service: each address is one backend, whatever its port");
  }
  service.backends.add(std::move(added));
}

void update_backends_of(Service &service, const std::vector<ServiceBackendConfig> &configs,
                        ServiceProto proto) {
  for (const auto &config : configs) {
    const auto found = service.backends.find(parse_backend(config.ip));
    if (found == service.backends.end()) throw no_backend(config.ip);
    Backend &backend = found->second;
    if (config.name) backend.name = checked_name(*config.name);
    if (config.port) backend.port = checked_port("port", *config.port, proto);
    if (config.weight) backend.weight = *config.weight;
    if (config.state) backend.state = *config.state;
  }
}

SourceRange parse_source_range(const ServiceSourceRangeKey &key) {
  const uint8_t length = key.prefix_length;
  if (length > 32)
    throw bad_value("prefix-length: " + std::to_string(length) + " is out of range, allowed 0..32");
  const uint32_t ip = parse_ipv4("address", key.address);
  const uint32_t net = ip & prefix_mask(length);
  if (ip != net)
    throw bad_value("address: " + key.address + " has more bits than its prefix-length " +
                    std::to_string(length) + ", expected " + format_ipv4(net));
  return {ip, length};
}

ServiceError no_source_range(const ServiceSourceRangeKey &key) {
  return missing("Source range " + to_string(key) + " does not exist in the service");
}

void add_source_ranges(Service &service, const std::vector<ServiceSourceRangeConfig> &configs) {
  for (const auto &config : configs)
    if (!service.sources.insert(parse_source_range(config.key())).second)
      throw already_exists("Source range " + to_string(config.key()) + " already exists in the service");
  if (service.sources.size() > kMaxRangesOfService)
    throw bad_value("source-range: a service has at most " + std::to_string(kMaxRangesOfService) +
                    " source ranges");
}

// They have no content beside their keys: there is nothing to change.
void expect_source_ranges(const Service &service, const std::vector<ServiceSourceRangeConfig> &configs) {
  for (const auto &config : configs)
    if (service.sources.count(parse_source_range(config.key())) == 0) throw no_source_range(config.key());
}

Service new_service(const ServiceConfig &config) {
  Service service;
  service.name = checked_name(config.name.value_or(""));
  service.session_affinity = config.session_affinity.value_or(ServiceSessionAffinity::None);
  service.affinity_timeout = config.affinity_timeout.value_or(kDefaultAffinityTimeout);
  add_backends(service, config.backend, config.proto);
  add_source_ranges(service, config.source_range);
  return service;
}

ServiceBackendConfig config_of(uint32_t ip, const Backend &backend) {
  ServiceBackendConfig config;
  config.name = backend.name;
  config.ip = format_ipv4(ip);
  config.port = backend.port;
  config.weight = backend.weight;
  if (backend.state != ServiceBackendState::Active) config.state = backend.state;
  return config;
}

ServiceSourceRangeConfig config_of(const SourceRange &range) {
  ServiceSourceRangeConfig config;
  config.address = format_ipv4(range.ip);
  config.prefix_length = range.length;
  return config;
}

ServiceConfig config_of(const ServiceKey &key, const Service &service, Depth depth) {
  ServiceConfig config;
  config.name = service.name;
  config.vip = key.vip;
  config.vport = key.vport;
  config.proto = key.proto;
  if (service.session_affinity != ServiceSessionAffinity::None)
    config.session_affinity = service.session_affinity;
  if (service.affinity_timeout != kDefaultAffinityTimeout) config.affinity_timeout = service.affinity_timeout;
  if (depth == Depth::Leaves) return config;
  config.backend.reserve(service.backends.size());
  for (const auto &[ip, backend] : service.backends) config.backend.push_back(config_of(ip, backend));
  config.source_range.reserve(service.sources.size());
  for (const auto &range : service.sources) config.source_range.push_back(config_of(range));
  return config;
}

// Whether the kernel would see no difference.
bool same_content(const Service &a, const Service &b) {
  const auto same = [](const auto &i, const auto &j) {
    return i.first == j.first && i.second.port == j.second.port && i.second.weight == j.second.weight &&
           i.second.state == j.second.state;
  };
  return a.session_affinity == b.session_affinity && a.affinity_timeout == b.affinity_timeout &&
         a.sources == b.sources && a.backends.size() == b.backends.size() &&
         std::equal(a.backends.begin(), a.backends.end(), b.backends.begin(), same);
}

// Whether sessions of `before` may have to leave their backends.
bool loses_backends(const Service &before, const Service &after) {
  for (const auto &[ip, backend] : before.backends) {
    const auto kept = after.backends.find(ip);
    if (kept == after.backends.end() || kept->second.port != backend.port) return true;
  }
  return false;
}

}  // namespace

const Service &Services::find(const ServiceKey &key) const {
  const Service *first = nullptr;
  for (const auto &id : ids_of(key)) {
    const auto found = services_.find(id);
    if (found == services_.end()) throw no_service(key);
    if (!first) first = &found->second;
  }
  return *first;
}

Services::Changes Services::edit(const ServiceKey &key, const std::function<void(Service &)> &change) const {
  Changes changes;
  edit(changes, key, change);
  return changes;
}

// On top of what is in `changes` already.
void Services::edit(Changes &changes, const ServiceKey &key,
                    const std::function<void(Service &)> &change) const {
  find(key);
  for (const auto &id : ids_of(key)) change(*changes.emplace(id, services_.at(id)).first->second);
}

Services::Changes Services::create(const std::vector<ServiceConfig> &configs) const {
  return create(configs, services_);
}

Services::Changes Services::create(const std::vector<ServiceConfig> &configs,
                                   const std::map<ServiceId, Service> &existing) {
  Changes changes;
  for (const auto &config : configs) {
    const Service service = new_service(config);
    for (const auto &id : ids_of(config.key()))
      if (existing.count(id) || !changes.emplace(id, service).second)
        throw already_exists("Service " + to_string(key_of(id)) + " already exists");
  }
  return changes;
}

// ALL is replaced where there are all three of its services, and created where there is none: a single one
// may belong to another ALL.
Services::Changes Services::replace(const ServiceConfig &config) const {
  const auto ids = ids_of(config.key());
  const auto exists = [&](const ServiceId &id) { return services_.count(id) > 0; };
  const auto found = std::find_if(ids.begin(), ids.end(), exists);
  if (found != ids.end() && !std::all_of(ids.begin(), ids.end(), exists))
    throw already_exists("Service " + to_string(key_of(*found)) + " already exists");
  const Service service = new_service(config);
  Changes changes;
  for (const auto &id : ids) changes.emplace(id, service);
  return changes;
}

Services::Changes Services::replace_all(const std::vector<ServiceConfig> &configs) const {
  Changes changes;
  for (const auto &config : configs)
    for (const auto &id : ids_of(config.key()))
      if (!changes.emplace(id, new_service(config)).second)
        throw already_exists("Service " + to_string(key_of(id)) + " is in the list twice");
  for (const auto &[id, service] : services_) changes.emplace(id, std::nullopt);
  return changes;
}

Services::Changes Services::update(const std::vector<ServiceConfig> &configs) const {
  Changes changes;
  for (const auto &config : configs)
    edit(changes, config.key(), [&](Service &service) {
      if (config.name) service.name = checked_name(*config.name);
      if (config.session_affinity) service.session_affinity = *config.session_affinity;
      if (config.affinity_timeout) service.affinity_timeout = *config.affinity_timeout;
      update_backends_of(service, config.backend, config.proto);
      expect_source_ranges(service, config.source_range);
    });
  return changes;
}

Services::Changes Services::remove(const ServiceKey &key) const {
  find(key);
  Changes changes;
  for (const auto &id : ids_of(key)) changes.emplace(id, std::nullopt);
  return changes;
}

Services::Changes Services::remove_all() const {
  Changes changes;
  for (const auto &[id, service] : services_) changes.emplace(id, std::nullopt);
  return changes;
}

Services::Changes Services::create_backends(const ServiceKey &key,
                                            const std::vector<ServiceBackendConfig> &configs) const {
  return edit(key, [&](Service &service) { add_backends(service, configs, key.proto); });
}

Services::Changes Services::replace_backend(const ServiceKey &key, const ServiceBackendConfig &config) const {
  return edit(key, [&](Service &service) {
    service.backends[parse_backend(config.ip)] = new_backend(config, key.proto);
  });
}

Services::Changes Services::replace_backends(const ServiceKey &key,
                                             const std::vector<ServiceBackendConfig> &configs) const {
  return edit(key, [&](Service &service) {
    service.backends.clear();
    add_backends(service, configs, key.proto);
  });
}

Services::Changes Services::update_backends(const ServiceKey &key,
                                            const std::vector<ServiceBackendConfig> &configs) const {
  return edit(key, [&](Service &service) { update_backends_of(service, configs, key.proto); });
}

Services::Changes Services::remove_backend(const ServiceKey &key, const ServiceBackendKey &backend) const {
  return edit(key, [&](Service &service) {
    if (service.backends.erase(parse_ipv4("ip", backend.ip)) == 0) throw no_backend(backend.ip);
  });
}

Services::Changes Services::remove_backends(const ServiceKey &key) const {
  return edit(key, [](Service &service) { service.backends.clear(); });
}

Services::Changes Services::create_source_ranges(const ServiceKey &key,
                                                 const std::vector<ServiceSourceRangeConfig> &configs) const {
  return edit(key, [&](Service &service) { add_source_ranges(service, configs); });
}

Services::Changes Services::replace_source_range(const ServiceKey &key,
                                                 const ServiceSourceRangeConfig &config) const {
  return edit(key, [&](Service &service) {
    if (service.sources.count(parse_source_range(config.key())) == 0) add_source_ranges(service, {config});
  });
}

Services::Changes Services::replace_source_ranges(
    const ServiceKey &key, const std::vector<ServiceSourceRangeConfig> &configs) const {
  return edit(key, [&](Service &service) {
    service.sources.clear();
    add_source_ranges(service, configs);
  });
}

Services::Changes Services::update_source_ranges(const ServiceKey &key,
                                                 const std::vector<ServiceSourceRangeConfig> &configs) const {
  return edit(key, [&](Service &service) { expect_source_ranges(service, configs); });
}

Services::Changes Services::remove_source_range(const ServiceKey &key,
                                                const ServiceSourceRangeKey &range) const {
  return edit(key, [&](Service &service) {
    if (service.sources.erase(parse_source_range(range)) == 0) throw no_source_range(range);
  });
}

Services::Changes Services::remove_source_ranges(const ServiceKey &key) const {
  return edit(key, [](Service &service) { service.sources.clear(); });
}

Services::Changes Services::initial(const std::vector<ServiceConfig> &configs) {
  auto changes = create(configs, {});
  ServiceTable::check(wishes(changes, {}));
  return changes;
}

ServiceTable::Wishes Services::wishes(const Changes &changes, const std::map<ServiceId, Service> &existing) {
  ServiceTable::Wishes wishes;
  for (const auto &[id, wanted] : changes) {
    const auto current = existing.find(id);
    if (!wanted)
      wishes.push_back({id});
    else if (current == existing.end())
      wishes.push_back({id, &*wanted});
    else if (!same_content(current->second, *wanted))
      wishes.push_back({id, &*wanted, loses_backends(current->second, *wanted)});
  }
  return wishes;
}

Services::Transaction Services::prepare(const Changes &changes) {
  Transaction transaction(*this, table_.prepare(wishes(changes, services_)));
  for (const auto &[id, wanted] : changes) {
    if (wanted)
      transaction.written_.emplace(id, *wanted);
    else
      transaction.removed_.push_back(id);
  }
  return transaction;
}

void Services::Transaction::commit() {
  change_.commit();
  auto &services = services_.services_;
  for (const auto &id : removed_) services.erase(id);
  while (!written_.empty()) {
    auto node = written_.extract(written_.begin());
    const auto old = services.find(node.key());
    if (old == services.end())
      services.insert(std::move(node));
    else
      old->second = std::move(node.mapped());
  }
}

void Services::restore(Changes initial) {
  table_.restore(wishes(initial, {}));
  for (auto &[id, service] : initial) services_.emplace(id, std::move(*service));
}

ServiceConfig Services::read(const ServiceKey &key, Depth depth) const {
  const Service &service = find(key);
  return config_of({format_ipv4(parse_vip(key.vip)), key.vport, key.proto}, service, depth);
}

std::vector<std::pair<ServiceId, ServiceConfig>> Services::read_next(std::optional<ServiceId> &last,
                                                                     Depth depth) const {
  std::vector<std::pair<ServiceId, ServiceConfig>> some;
  auto next = last ? services_.upper_bound(*last) : services_.begin();
  for (std::size_t read = 0; next != services_.end() && read < kReadTogether; ++next) {
    const auto &[id, service] = *next;
    some.emplace_back(id, config_of(key_of(id), service, depth));
    read += 1 + some.back().second.backend.size();
    last = id;
  }
  return some;
}

ServiceBackendConfig Services::read_backend(const ServiceKey &key, const ServiceBackendKey &backend) const {
  const Service &service = find(key);
  const auto found = service.backends.find(parse_ipv4("ip", backend.ip));
  if (found == service.backends.end()) throw no_backend(backend.ip);
  return config_of(found->first, found->second);
}

std::vector<ServiceId> Services::ids(const ServiceKey &key) const {
  find(key);
  return ids_of(key);
}

uint32_t Services::backend_ip(const ServiceKey &key, const ServiceBackendKey &backend) const {
  read_backend(key, backend);
  return parse_ipv4("ip", backend.ip);
}

ServiceSourceRangeConfig Services::read_source_range(const ServiceKey &key,
                                                     const ServiceSourceRangeKey &range) const {
  const auto &sources = find(key).sources;
  const auto found = sources.find(parse_source_range(range));
  if (found == sources.end()) throw no_source_range(range);
  return config_of(*found);
}

}  // namespace k8slbrp
