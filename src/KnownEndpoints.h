// What the datapath must know of addresses without looking at services: which (address, port, protocol) is a
// service or a backend of any. The maps `known` and `endpoints`.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "Service.h"
#include "Tables.h"

namespace k8slbrp {

// Not thread-safe: the cube's configuration lock protects it.
class KnownEndpoints {
 public:
  using Backends = std::set<std::pair<uint32_t, uint16_t>>;  // address, port as the datapath sees it
  using Services = std::map<ServiceId, Backends>;

  static Backends of(const ServiceId &id, const ServiceBackends &backends);

  KnownEndpoints();

  // Takes over which bits are set in a datapath that goes on forwarding while its host starts: no bit that it
  // needs may be missing, not even for a moment.
  void load(ServiceMaps &maps);

  // Makes a service and its backends known, before the service is in force. Throws when the map is full.
  void announce(ServiceMaps &maps, const ServiceId &id, const Backends &backends);
  // It will not be in force after all.
  void withdraw(ServiceMaps &maps, const ServiceId &id, const Backends &backends);

  // Services that have been announced are in force, others are no more. That needs no memory. If the kernel
  // does not let go of an entry, it throws, and collect() tries again.
  void settle(ServiceMaps &maps, Services services, const std::vector<ServiceId> &removed);
  void collect(ServiceMaps &maps);

  // After a start: removes from the maps what no service has, but for bits of what may still answer. If it
  // throws, collect() tries again.
  void drop_leftovers(ServiceMaps &maps);

  std::size_t endpoints() const { return members_.size(); }

 private:
  void mark(ServiceMaps &maps, uint32_t ip, uint16_t port, uint8_t protocol);
  void forget(ServiceMaps &maps);
  std::vector<uint64_t> marks() const;

  Services services_;
  std::map<ServiceId, uint32_t> members_;  // of how many services each backend is one; 0: it is announced
  std::vector<uint64_t> words_;            // the map `known`
  std::size_t stale_ = 0;                  // backends gone whose bits are still set
};

}  // namespace k8slbrp
