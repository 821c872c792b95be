// The services as the kernel sees them: the maps `services`, `vips`, `slots` and `backends`.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "Service.h"
#include "Tables.h"

namespace k8slbrp {

struct Usable;

// Not thread-safe: the cube's configuration lock protects it.
class ServiceTable {
 public:
  // Leaves in force what an earlier run left in the maps, until drop_leftovers().
  explicit ServiceTable(ServiceMaps maps);

  // Makes the kernel serve `id` with these backends. No packet sees a half-written table: the new slots are
  // complete before the service is switched to them. Throws, with nothing changed, when a map is full.
  void put(ServiceMaps &maps, const ServiceId &id, const std::map<uint32_t, Backend> &backends);

  // Stops serving `id`. Its live TCP sessions go on.
  void remove(ServiceMaps &maps, const ServiceId &id);

  // Removes from the maps all that no put() since the construction has claimed.
  void drop_leftovers(ServiceMaps &maps);

 private:
  using Endpoints = std::set<std::pair<uint32_t, uint16_t>>;  // address, port
  struct Segment {
    uint32_t first_chunk = 0;
    uint32_t slots = 0;
    uint32_t chunks() const { return (slots + SLOTS_PER_CHUNK - 1) / SLOTS_PER_CHUNK; }
  };
  struct Entry {
    Segment segment;
    Endpoints endpoints;  // those that keep their UDP and ICMP sessions
  };

  void check_room(const ServiceId &id, const Usable &usable, const Entry &wanted, const Entry &old) const;
  uint32_t unused_chunks(uint32_t count);
  abi::service write_segment(ServiceMaps &maps, Segment &segment, const Usable &usable);
  void erase_segment(ServiceMaps &maps, const Segment &segment);
  void add_endpoints(ServiceMaps &maps, const ServiceId &id, const Endpoints &wanted, const Endpoints &old);
  void erase_endpoints(ServiceMaps &maps, const ServiceId &id, const Endpoints &old, const Endpoints &kept);

  std::map<ServiceId, Entry> entries_;
  std::map<uint32_t, uint32_t> services_of_vip_;
  std::map<uint32_t, uint32_t> segments_;  // first chunk, number of chunks
  uint32_t next_chunk_ = 1;
  uint32_t version_ = 0;
  uint32_t chunks_used_ = 0;
  uint32_t endpoints_used_ = 0;
};

}  // namespace k8slbrp
