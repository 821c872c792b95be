#include "K8slbrp.h"

#include <algorithm>

#include "datapath.h"
#include "config.h"

namespace k8slbrp {
namespace {

constexpr uint32_t kDefaultMaxSessions = 131072;

std::string datapath_for(uint32_t max_sessions) {
  return "#define SESSION_ENTRIES " + std::to_string(max_sessions) + "\n" + datapath;
}

// What the host would refuse, or accept without the datapath being made for it.
const CubeConfig &checked(const CubeConfig &config) {
  for (const char *leaf : {"shadow", "span"})
    if (const auto found = config.base.find(leaf); found != config.base.end() && *found == true)
      throw bad_value(std::string(leaf) + ": true is not possible, a load balancer stands between its ports");
  return config;
}

}  // namespace

std::shared_ptr<CubeApi> make_cube(const CubeConfig &config) { return std::make_shared<K8slbrp>(config); }

K8slbrp::K8slbrp(const CubeConfig &config)
    : Cube(checked(config).base, {datapath_for(config.max_sessions.value_or(kDefaultMaxSessions))}, {}),
      mode_(config.port_mode.value_or(PortMode::Multi)),
      max_sessions_(config.max_sessions.value_or(kDefaultMaxSessions)),
      services_(*this),
      view_(std::make_shared<SlowPathView>()) {
  try {
    services_.restore(config.service);
    set_rewrite(config.src_ip_rewrite ? SrcIpRewrite::from(*config.src_ip_rewrite) : SrcIpRewrite{});
    transition(k8slbrp::create_ports(mode_, {}, config.ports));
  } catch (...) {
    dismount();
    throw;
  }
}

K8slbrp::~K8slbrp() { dismount(); }  // no packet_in may find the members of this class gone

CubeConfig K8slbrp::read() {
  const ReadLock lock(mutex_);
  CubeConfig config;
  config.name = get_name();
  config.port_mode = mode_;
  config.max_sessions = max_sessions_;
  config.src_ip_rewrite = rewrite_.config();
  return config;
}

void K8slbrp::update(const CubeConfig &config) {
  const std::lock_guard lock(mutex_);
  if (config.port_mode && *config.port_mode != mode_)
    throw bad_value("port_mode: " + to_string(*config.port_mode) +
                    " is not possible, the mode of a cube cannot be changed, allowed: " + to_string(mode_));
  const auto before = port_set();
  const auto ports = k8slbrp::update_ports(mode_, before, config.ports);
  const auto rewrite = config.src_ip_rewrite ? rewrite_.updated(*config.src_ip_rewrite) : rewrite_;
  const auto changes = services_.update(config.service);

  if (!config.ports.empty()) transition(ports);
  try {
    apply(changes);
  } catch (...) {
    become(before);
    throw;
  }
  if (config.src_ip_rewrite) set_rewrite(rewrite);
  set_conf(config.base);
}

// --- ports ---

PortSet K8slbrp::port_set() const {
  PortSet ports;
  for (const auto &port : get_ports()) ports.emplace(port->name(), port->state());
  return ports;
}

// What the host refuses about a port is for the client to correct: a peer that does not exist, is down or in
// use.
void K8slbrp::transition(const PortSet &wanted) {
  for (const auto &[name, port] : wanted)
    if (port.peer == get_name() + ":" + name)  // which would hang polycubed
      throw bad_value("peer: " + port.peer +
                      " is the port itself, allowed: another port, a network interface");
  const PortSet before = port_set();
  try {
    become(wanted);
  } catch (const std::runtime_error &refusal) {
    become(before);
    throw bad_value(refusal.what());
  }
}

// Leaving ports go first: a new one may want the address or the peer of one of them.
void K8slbrp::become(const PortSet &wanted) {
  const auto current = get_ports();
  publish_view(wanted);
  for (const auto &port : current)
    if (!wanted.count(port->name())) remove_port(port->name());
  for (const auto &port : current)
    if (const auto found = wanted.find(port->name()); found != wanted.end()) port->become(found->second);
  for (const auto &[name, state] : wanted) {
    const bool exists =
        std::any_of(current.begin(), current.end(), [&](const auto &p) { return p->name() == name; });
    if (!exists) add_port<PortState>(name, state);
  }
  publish_ports();
  publish_view(wanted);
}

void K8slbrp::publish_ports() {
  PortMaps maps(*this);
  const bool multi = mode_ == PortMode::Multi;
  uint16_t backend = NO_PORT, frontend = NO_PORT;
  std::map<uint32_t, uint16_t> frontends;
  abi::port entries[MAX_PORTS] = {};
  const auto ports = get_ports();
  for (const auto &port : ports) {
    const auto index = static_cast<uint16_t>(port->index());
    if (port->type() == PortsType::Backend) {
      backend = index;
    } else {
      frontend = index;
      if (multi) frontends.emplace(port->ip(), index);
    }
  }
  for (const auto &port : ports) {
    abi::port &entry = entries[port->index()];
    const bool is_backend = port->type() == PortsType::Backend;
    entry.side = is_backend ? abi::SIDE_BACKEND : abi::SIDE_FRONTEND;
    entry.multi = multi;
    entry.out = !is_backend ? backend : multi ? NO_PORT : frontend;
    entry.generation = port->generation();
  }
  for (uint32_t index = 0; index < MAX_PORTS; ++index) maps.ports.set(index, entries[index]);
  for (const auto &[ip, index] : maps.frontends.get_all())
    if (!frontends.count(ip)) maps.frontends.remove(ip);
  for (const auto &[ip, index] : frontends) maps.frontends.set(ip, index);
}

// The slow path must let go of a port before it is removed, so it sees only those that stay.
void K8slbrp::publish_view(const PortSet &staying) {
  auto view = std::make_shared<SlowPathView>();
  for (const auto &port : get_ports()) {
    if (!staying.count(port->name())) continue;
    if (port->type() == PortsType::Backend) {
      view->backend = port;
    } else {
      view->frontends.push_back(port);
    }
  }
  view->rewrite = rewrite_.for_kernel();
  std::atomic_store(&view_, std::shared_ptr<const SlowPathView>(std::move(view)));
}

void K8slbrp::create_ports(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  transition(k8slbrp::create_ports(mode_, port_set(), configs));
}

void K8slbrp::replace_ports(const PortsConfig &config) {
  const std::lock_guard lock(mutex_);
  transition(replace_port(mode_, port_set(), config));
}

void K8slbrp::replace_ports_list(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  transition(replace_all_ports(mode_, configs));
}

void K8slbrp::update_ports(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  transition(k8slbrp::update_ports(mode_, port_set(), configs));
}

void K8slbrp::delete_ports(const PortsKey &key) {
  const std::lock_guard lock(mutex_);
  transition(k8slbrp::remove_port(port_set(), key.name));
}

void K8slbrp::delete_ports_list() {
  const std::lock_guard lock(mutex_);
  transition({});
}

std::shared_ptr<Ports> K8slbrp::find_port(const std::string &name) const {
  for (const auto &port : get_ports())
    if (port->name() == name) return port;
  return nullptr;
}

PortsConfig K8slbrp::read_ports(const PortsKey &key) {
  const ReadLock lock(mutex_);
  if (const auto port = find_port(key.name)) return port->config();
  throw missing("Port " + key.name + " does not exist");
}

void K8slbrp::read_ports_list(const Show<PortsConfig> &show) {
  const auto read = [&](const std::string &name) -> std::optional<PortsConfig> {
    const ReadLock lock(mutex_);
    const auto port = find_port(name);
    return port ? std::optional(port->config()) : std::nullopt;
  };
  std::vector<std::string> names;
  {
    const ReadLock lock(mutex_);
    for (const auto &port : get_ports()) names.push_back(port->name());
  }
  for (const auto &name : names)
    if (const auto config = read(name)) show(*config);
}

// --- src-ip-rewrite ---

void K8slbrp::set_rewrite(const SrcIpRewrite &wanted) {
  get_array_table<abi::src_ip_rewrite>("src_ip_rewrite").set(0, wanted.for_kernel());
  rewrite_ = wanted;
  publish_view(port_set());
}

void K8slbrp::replace_src_ip_rewrite(const SrcIpRewriteConfig &config) {
  const std::lock_guard lock(mutex_);
  set_rewrite(SrcIpRewrite::from(config));
}

void K8slbrp::update_src_ip_rewrite(const SrcIpRewriteConfig &config) {
  const std::lock_guard lock(mutex_);
  set_rewrite(rewrite_.updated(config));
}

void K8slbrp::delete_src_ip_rewrite() {
  const std::lock_guard lock(mutex_);
  set_rewrite({});
}

SrcIpRewriteConfig K8slbrp::read_src_ip_rewrite() {
  const ReadLock lock(mutex_);
  return rewrite_.config();
}

// --- services ---

void K8slbrp::create_service(const std::vector<ServiceConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.create(configs));
}

void K8slbrp::replace_service(const ServiceConfig &config) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace(config));
}

void K8slbrp::replace_service_list(const std::vector<ServiceConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace_all(configs));
}

void K8slbrp::update_service(const std::vector<ServiceConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.update(configs));
}

void K8slbrp::delete_service(const ServiceKey &key) {
  const std::lock_guard lock(mutex_);
  apply(services_.remove(key));
}

void K8slbrp::delete_service_list() {
  const std::lock_guard lock(mutex_);
  apply(services_.remove_all());
}

ServiceConfig K8slbrp::read_service(const ServiceKey &key, Depth depth) {
  const ReadLock lock(mutex_);
  return services_.read(key, depth);
}

void K8slbrp::read_service_list(Depth depth, const Show<ServiceConfig> &show) {
  std::optional<ServiceId> last;
  const auto read_next = [&] {
    const ReadLock lock(mutex_);
    return services_.read_next(last, depth);
  };
  while (const auto config = read_next()) show(*config);
}

// --- backends ---

void K8slbrp::create_service_backend(const ServiceKey &service,
                                     const std::vector<ServiceBackendConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.create_backends(service, configs));
}

void K8slbrp::replace_service_backend(const ServiceKey &service, const ServiceBackendConfig &config) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace_backend(service, config));
}

void K8slbrp::replace_service_backend_list(const ServiceKey &service,
                                           const std::vector<ServiceBackendConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace_backends(service, configs));
}

void K8slbrp::update_service_backend(const ServiceKey &service,
                                     const std::vector<ServiceBackendConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.update_backends(service, configs));
}

void K8slbrp::delete_service_backend(const ServiceKey &service, const ServiceBackendKey &key) {
  const std::lock_guard lock(mutex_);
  apply(services_.remove_backend(service, key));
}

void K8slbrp::delete_service_backend_list(const ServiceKey &service) {
  const std::lock_guard lock(mutex_);
  apply(services_.remove_backends(service));
}

ServiceBackendConfig K8slbrp::read_service_backend(const ServiceKey &service, const ServiceBackendKey &key) {
  const ReadLock lock(mutex_);
  return services_.read_backend(service, key);
}

void K8slbrp::read_service_backend_list(const ServiceKey &service, const Show<ServiceBackendConfig> &show) {
  for (const auto &backend : read_service(service, Depth::All).backend) show(backend);
}

void K8slbrp::packet_in(Ports &port, polycube::service::PacketInMetadata &metadata,
                        const std::vector<uint8_t> &packet) {
  handle_slow_path(*std::atomic_load(&view_), port, metadata.reason, packet);
}

}  // namespace k8slbrp
