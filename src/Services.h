// The virtual services of a cube: what REST sees of them, kept in step with what the kernel serves.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "Service.h"
#include "ServiceTable.h"
#include "config.h"
#include "reading.h"

namespace k8slbrp {

using codegen::Depth;

// Every change is a transaction: it is checked as a whole, then applied as a whole or not at all.
// Not thread-safe: the cube's configuration lock protects it.
class Services {
 public:
  // What a request wants of the services it names: their new content, or nullopt for "gone".
  using Changes = std::map<ServiceId, std::optional<Service>>;

  Services(polycube::service::BaseCube &cube, TrafficTable &traffic) : table_(cube, traffic) {}

  // Each returns the checked changes of one request, or throws.
  Changes create(const std::vector<ServiceConfig> &configs) const;
  Changes replace(const ServiceConfig &config) const;
  Changes replace_all(const std::vector<ServiceConfig> &configs) const;
  Changes update(const std::vector<ServiceConfig> &configs) const;
  Changes remove(const ServiceKey &key) const;
  Changes remove_all() const;
  Changes create_backends(const ServiceKey &key, const std::vector<ServiceBackendConfig> &configs) const;
  Changes replace_backend(const ServiceKey &key, const ServiceBackendConfig &config) const;
  Changes replace_backends(const ServiceKey &key, const std::vector<ServiceBackendConfig> &configs) const;
  Changes update_backends(const ServiceKey &key, const std::vector<ServiceBackendConfig> &configs) const;
  Changes remove_backend(const ServiceKey &key, const ServiceBackendKey &backend) const;
  Changes remove_backends(const ServiceKey &key) const;
  Changes create_source_ranges(const ServiceKey &key,
                               const std::vector<ServiceSourceRangeConfig> &configs) const;
  Changes replace_source_range(const ServiceKey &key, const ServiceSourceRangeConfig &config) const;
  Changes replace_source_ranges(const ServiceKey &key,
                                const std::vector<ServiceSourceRangeConfig> &configs) const;
  Changes update_source_ranges(const ServiceKey &key,
                               const std::vector<ServiceSourceRangeConfig> &configs) const;
  Changes remove_source_range(const ServiceKey &key, const ServiceSourceRangeKey &range) const;
  Changes remove_source_ranges(const ServiceKey &key) const;

  // The services of a cube that is not there yet. Throws what can be said against them without it: a cube
  // that an earlier run has left then goes on as it is.
  static Changes initial(const std::vector<ServiceConfig> &configs);

  // Changes that are ready but not in force. They go away without a trace unless they are committed.
  class Transaction {
   public:
    void commit();  // throws, with nothing changed, if the kernel refuses

   private:
    friend class Services;
    Transaction(Services &services, ServiceTable::Change change)
        : services_(services), change_(std::move(change)) {}

    Services &services_;
    ServiceTable::Change change_;
    std::vector<ServiceId> removed_;
    std::map<ServiceId, Service> written_;
  };

  // Throws, with nothing changed, when there is no room.
  Transaction prepare(const Changes &changes);
  // Makes these the services after a start, on maps that an earlier run may have left.
  void restore(Changes initial);

  ServiceConfig read(const ServiceKey &key, Depth depth) const;
  // Some services after `last` (the first ones when there is no last), which becomes the last of them; none
  // at the end.
  std::vector<std::pair<ServiceId, ServiceConfig>> read_next(std::optional<ServiceId> &last,
                                                             Depth depth) const;
  ServiceBackendConfig read_backend(const ServiceKey &key, const ServiceBackendKey &backend) const;
  ServiceSourceRangeConfig read_source_range(const ServiceKey &key, const ServiceSourceRangeKey &range) const;
  // The services behind a key, and the address of a backend that they have. Throw when there are none.
  std::vector<ServiceId> ids(const ServiceKey &key) const;
  uint32_t backend_ip(const ServiceKey &key, const ServiceBackendKey &backend) const;
  ServiceTable::Fill fill() const { return table_.fill(); }

 private:
  const Service &find(const ServiceKey &key) const;
  Changes edit(const ServiceKey &key, const std::function<void(Service &)> &change) const;
  void edit(Changes &changes, const ServiceKey &key, const std::function<void(Service &)> &change) const;
  static Changes create(const std::vector<ServiceConfig> &configs,
                        const std::map<ServiceId, Service> &existing);
  static ServiceTable::Wishes wishes(const Changes &changes, const std::map<ServiceId, Service> &existing);

  std::map<ServiceId, Service> services_;
  ServiceTable table_;
};

}  // namespace k8slbrp
