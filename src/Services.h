// The virtual services of a cube: what REST sees of them, kept in step with what the kernel serves.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "Service.h"
#include "ServiceTable.h"
#include "Tables.h"
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

  explicit Services(ServiceMaps maps) : table_(std::move(maps)) {}

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

  // Applies the changes to the kernel and then here. Throws with nothing changed.
  void apply(ServiceMaps maps, const Changes &changes);
  void drop_leftovers(ServiceMaps maps) { table_.drop_leftovers(maps); }

  ServiceConfig read(const ServiceKey &key, Depth depth) const;
  // The service after `last` (the first one when there is no last), which becomes it; nothing at the end.
  std::optional<ServiceConfig> read_next(std::optional<ServiceId> &last, Depth depth) const;
  ServiceBackendConfig read_backend(const ServiceKey &key, const ServiceBackendKey &backend) const;

 private:
  const Service &find(const ServiceKey &key) const;
  Changes edit(const ServiceKey &key, const std::function<void(Service &)> &change) const;
  void apply_one(ServiceMaps &maps, const ServiceId &id, const std::optional<Service> &wanted);

  std::map<ServiceId, Service> services_;
  ServiceTable table_;
};

}  // namespace k8slbrp
