#include "K8slbrp.h"

#include <sys/sysinfo.h>

#include <functional>
#include <utility>

#include "KernelClock.h"
#include "config.h"
#include "datapath.h"

namespace k8slbrp {
namespace {

constexpr uint32_t kDefaultMaxSessions = 131072;

std::string datapath_for(uint32_t max_sessions) {
  std::string defines = "#define SESSION_ENTRIES " + std::to_string(max_sessions) + "\n#define CPUS " +
                        std::to_string(get_nprocs_conf()) + "\n#define OPENINGS_SECRET " +
                        std::to_string(openings_secret()) + "ULL\n";
  if (const long hz = kernel_hz(); hz > 0) defines += "#define KERNEL_HZ " + std::to_string(hz) + "\n";
  return defines + datapath;
}

// What the host would refuse, or accept without the datapath being made for it.
const CubeConfig &checked(const CubeConfig &config) {
  for (const char *leaf : {"shadow", "span"})
    if (const auto found = config.base.find(leaf); found != config.base.end() && *found == true)
      throw bad_value(std::string(leaf) + ": true is not possible, a load balancer stands between its ports");
  return config;
}

// Takes back the steps of a change that is not finished, the last one first.
class Undo {
 public:
  explicit Undo(polycube::service::BaseCube &cube) : cube_(cube) {}
  ~Undo() {
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
      for (int attempts = 2; attempts > 0; --attempts) try {
          step->second();
          break;
        } catch (const std::exception &failure) {
          cube_.logger()->error("cannot take back a change of {}: {}", step->first, failure.what());
        }
  }
  Undo(const Undo &) = delete;
  Undo &operator=(const Undo &) = delete;

  void push(const char *what, std::function<void()> step) { steps_.emplace_back(what, std::move(step)); }
  void dismiss() { steps_.clear(); }

 private:
  polycube::service::BaseCube &cube_;
  std::vector<std::pair<const char *, std::function<void()>>> steps_;
};

}  // namespace

std::shared_ptr<CubeApi> make_cube(const CubeConfig &config) { return std::make_shared<K8slbrp>(config); }

// What a cube is to be at first. All that can be refused without the cube is refused here: once the host has
// made the cube, it has taken over the maps and ports that an earlier process has left at work, and would
// take them away together with the cube.
struct K8slbrp::Initial {
  explicit Initial(const CubeConfig &config)
      : base(checked(config).base),
        mode(config.port_mode.value_or(PortMode::Multi)),
        max_sessions(config.max_sessions.value_or(kDefaultMaxSessions)),
        settings{config.timeouts ? Timeouts::from(*config.timeouts) : Timeouts{},
                 config.unserved_ports.value_or(UnservedPorts::Pass)},
        rewrite(config.src_ip_rewrite ? SrcIpRewrite::from(*config.src_ip_rewrite) : SrcIpRewrite{}),
        ports(k8slbrp::create_ports(mode, {}, config.ports)),
        services(Services::initial(config.service)) {
    check_peers(config.name, ports);
  }

  const nlohmann::json &base;
  PortMode mode;
  uint32_t max_sessions;
  Settings settings;
  SrcIpRewrite rewrite;
  PortSet ports;
  Services::Changes services;
};

K8slbrp::K8slbrp(const CubeConfig &config) : K8slbrp(Initial(config)) {}

K8slbrp::K8slbrp(Initial initial)
    : Cube(initial.base, {datapath_for(initial.max_sessions)}, {}),
      mode_(initial.mode),
      max_sessions_(initial.max_sessions),
      maps_(kReapedMaps,
            [this](const char *name) {
              return get_table_fd(name, 0, polycube::service::ProgramType::INGRESS);
            }),
      openings_(maps_.fd("openings"), max_sessions_),
      traffic_(*this, openings_, max_sessions_),
      services_(*this, traffic_),
      ports_(*this, mode_),
      statistics_(*this, maps_, openings_, traffic_) {
  try {
    set_settings(initial.settings);
    services_.restore(std::move(initial.services));
    set_rewrite(initial.rewrite);
    ports_.apply(initial.ports);
    reaper_ =
        std::make_unique<SessionReaper>(maps_, openings_, statistics_.evictions(), logger(), max_sessions_);
  } catch (...) {
    dismount();
    throw;
  }
}

K8slbrp::~K8slbrp() {
  reaper_.reset();  // before the maps go
  dismount();       // no packet_in may find the members of this class gone
}

CubeConfig K8slbrp::read() {
  const ReadLock lock(mutex_);
  CubeConfig config;
  config.name = get_name();
  config.port_mode = mode_;
  config.max_sessions = max_sessions_;
  config.src_ip_rewrite = rewrite_.config();
  config.unserved_ports = settings_.unserved_ports;
  config.timeouts = settings_.timeouts.config();
  return config;
}

void K8slbrp::update(const CubeConfig &config) {
  const std::lock_guard lock(mutex_);
  if (config.port_mode && *config.port_mode != mode_)
    throw bad_value("port_mode: " + to_string(*config.port_mode) +
                    " is not possible, the mode of a cube cannot be changed, allowed: " + to_string(mode_));
  const auto before = ports_.current();
  const auto ports = k8slbrp::update_ports(mode_, before, config.ports);
  const auto rewrite = config.src_ip_rewrite ? rewrite_.updated(*config.src_ip_rewrite) : rewrite_;
  const Settings settings{config.timeouts ? settings_.timeouts.updated(*config.timeouts) : settings_.timeouts,
                          config.unserved_ports.value_or(settings_.unserved_ports)};
  const auto changes = services_.update(config.service);

  auto transaction = services_.prepare(changes);
  Undo undo(*this);
  if (!config.ports.empty()) {
    ports_.apply(ports);
    undo.push("the ports", [&] { ports_.apply(before); });
  }
  if (config.src_ip_rewrite) {
    undo.push("src-ip-rewrite", [this, old = rewrite_] { set_rewrite(old); });
    set_rewrite(rewrite);
  }
  if (config.timeouts || config.unserved_ports) {
    undo.push("the settings", [this, old = settings_] { set_settings(old); });
    set_settings(settings);
  }
  undo.push("the log level", [this, level = get_log_level()] {
    if (get_log_level() != level) set_log_level(level);
  });
  set_conf(config.base);
  transaction.commit();
  undo.dismiss();
}

// --- ports ---

void K8slbrp::create_ports(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  ports_.apply(k8slbrp::create_ports(mode_, ports_.current(), configs));
}

void K8slbrp::replace_ports(const PortsConfig &config) {
  const std::lock_guard lock(mutex_);
  ports_.apply(replace_port(mode_, ports_.current(), config));
}

void K8slbrp::replace_ports_list(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  ports_.apply(replace_all_ports(mode_, configs));
}

void K8slbrp::update_ports(const std::vector<PortsConfig> &configs) {
  const std::lock_guard lock(mutex_);
  ports_.apply(k8slbrp::update_ports(mode_, ports_.current(), configs));
}

void K8slbrp::delete_ports(const PortsKey &key) {
  const std::lock_guard lock(mutex_);
  ports_.apply(k8slbrp::remove_port(ports_.current(), key.name));
}

void K8slbrp::delete_ports_list() {
  const std::lock_guard lock(mutex_);
  ports_.apply({});
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
  SrcIpRewrite copy = wanted;
  ports_.set_rewrite(wanted.for_kernel());
  std::swap(rewrite_, copy);
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

// --- timeouts, and ports of VIPs that no service has ---

void K8slbrp::set_settings(const Settings &wanted) {
  const bool reject = wanted.unserved_ports == UnservedPorts::Reject;
  get_array_table<abi::settings>("settings").set(0, wanted.timeouts.for_kernel(reject));
  settings_ = wanted;
}

void K8slbrp::replace_timeouts(const TimeoutsConfig &config) {
  const std::lock_guard lock(mutex_);
  set_settings({Timeouts::from(config), settings_.unserved_ports});
}

void K8slbrp::update_timeouts(const TimeoutsConfig &config) {
  const std::lock_guard lock(mutex_);
  set_settings({settings_.timeouts.updated(config), settings_.unserved_ports});
}

void K8slbrp::delete_timeouts() {
  const std::lock_guard lock(mutex_);
  set_settings({Timeouts{}, settings_.unserved_ports});
}

TimeoutsConfig K8slbrp::read_timeouts() {
  const ReadLock lock(mutex_);
  return settings_.timeouts.config();
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

// Some are read at a time: looking for the next one and locking would take as long as showing it.
void K8slbrp::each_service(Depth depth,
                           const std::function<void(const ServiceId &, const ServiceConfig &)> &use) {
  std::optional<ServiceId> last;
  const auto read_next = [&] {
    const ReadLock lock(mutex_);
    return services_.read_next(last, depth);
  };
  for (auto some = read_next(); !some.empty(); some = read_next())
    for (const auto &[id, config] : some) use(id, config);
}

void K8slbrp::read_service_list(Depth depth, const Show<ServiceConfig> &show) {
  each_service(depth, [&](const ServiceId &, const ServiceConfig &config) { show(config); });
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

ServiceBackendConfig K8slbrp::read_service_backend(const ServiceKey &service, const ServiceBackendKey &key,
                                                   Depth) {
  const ReadLock lock(mutex_);
  return services_.read_backend(service, key);
}

void K8slbrp::read_service_backend_list(const ServiceKey &service, Depth,
                                        const Show<ServiceBackendConfig> &show) {
  for (const auto &backend : read_service(service, Depth::All).backend) show(backend);
}

// --- source ranges ---

void K8slbrp::create_service_source_range(const ServiceKey &service,
                                          const std::vector<ServiceSourceRangeConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.create_source_ranges(service, configs));
}

void K8slbrp::replace_service_source_range(const ServiceKey &service,
                                           const ServiceSourceRangeConfig &config) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace_source_range(service, config));
}

void K8slbrp::replace_service_source_range_list(const ServiceKey &service,
                                                const std::vector<ServiceSourceRangeConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.replace_source_ranges(service, configs));
}

void K8slbrp::update_service_source_range(const ServiceKey &service,
                                          const std::vector<ServiceSourceRangeConfig> &configs) {
  const std::lock_guard lock(mutex_);
  apply(services_.update_source_ranges(service, configs));
}

void K8slbrp::delete_service_source_range(const ServiceKey &service, const ServiceSourceRangeKey &key) {
  const std::lock_guard lock(mutex_);
  apply(services_.remove_source_range(service, key));
}

void K8slbrp::delete_service_source_range_list(const ServiceKey &service) {
  const std::lock_guard lock(mutex_);
  apply(services_.remove_source_ranges(service));
}

ServiceSourceRangeConfig K8slbrp::read_service_source_range(const ServiceKey &service,
                                                            const ServiceSourceRangeKey &key) {
  const ReadLock lock(mutex_);
  return services_.read_source_range(service, key);
}

void K8slbrp::read_service_source_range_list(const ServiceKey &service,
                                             const Show<ServiceSourceRangeConfig> &show) {
  for (const auto &range : read_service(service, Depth::All).source_range) show(range);
}

void K8slbrp::packet_in(Ports &port, polycube::service::PacketInMetadata &metadata,
                        const std::vector<uint8_t> &packet) {
  handle_slow_path(*this, openings_, *ports_.view(), fragments_, port, metadata, packet);
}

}  // namespace k8slbrp
