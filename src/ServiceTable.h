// The services as the kernel sees them: the maps `services`, `vips`, `chunks` and `source_ranges`.
#pragma once

#include <polycube/services/base_cube.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "KnownEndpoints.h"
#include "Layout.h"
#include "Service.h"
#include "SourceRangeTable.h"
#include "Tables.h"
#include "TrafficTable.h"

namespace k8slbrp {

// Not thread-safe: the cube's configuration lock protects it.
class ServiceTable {
 public:
  // What a service is to become.
  struct Wish {
    ServiceId id;
    const Service *service = nullptr;  // null: it is to be removed
    bool loses_backends = true;        // some that it has now are not among them
  };
  using Wishes = std::vector<Wish>;  // each service once

  ServiceTable(polycube::service::BaseCube &cube, TrafficTable &traffic);

  // A change that is ready but not in force: all it needs beside what there is already has its place in the
  // maps. It goes away without a trace unless it is committed.
  class Change {
   public:
    Change(Change &&other) noexcept = default;
    Change &operator=(Change &&) = delete;
    ~Change();

    // Puts it into force: one update of a map for each service, so that no packet sees half a service. What
    // is removed goes first, so no table is too full. Throws, with nothing changed, if the kernel refuses.
    void commit();

   private:
    friend class ServiceTable;
    explicit Change(ServiceTable &table) : table_(&table) {}

    ServiceTable *table_;
    std::vector<ServiceId> removed_;
    std::vector<std::pair<ServiceId, abi::service>> written_;
    std::map<ServiceId, abi::service_head> heads_;  // of these
    KnownEndpoints::Services backends_;
    SourceRangeTable::Sets sources_;
    std::map<ServiceId, TrafficTable::Numbers> counters_;
    std::vector<uint32_t> new_vips_;
    bool loses_backends_ = false;
    bool was_in_force_ = false;  // a part of it at least, if only for a moment
  };

  // Throws bad_value when no cube can have these services. That needs no table, so it can be asked before
  // there is one.
  static void check(const Wishes &wishes);

  // Throws bad_value, with nothing changed, when there is no room.
  Change prepare(const Wishes &wishes);

  // Makes the kernel serve these services and no others, after a start. What an earlier run has left in the
  // maps goes on being served: what is right stays as it is; the rest is replaced service by service, which
  // needs room for one at a time.
  void restore(const Wishes &wishes);

  // Entries of the maps.
  struct Fill {
    std::size_t services, vips, chunks, endpoints;
  };
  Fill fill() const { return {heads_.size(), services_of_vip_.size(), chunks_used_, known_.endpoints()}; }

 private:
  using Entries = std::map<ServiceId, abi::service>;
  using Chunks = std::map<uint32_t, abi::chunk>;
  using Before = std::map<ServiceId, std::optional<abi::service>>;  // null: there was none

  static void check_total(std::size_t services, uint64_t chunks, std::size_t ranges);
  void check_room(const Wishes &wishes, const std::vector<Layout> &layouts) const;
  uint32_t unused_chunks(uint32_t count);
  void write_chunks(ServiceMaps &maps, const Layout &layout);
  void free_chunks(ServiceMaps &maps, uint32_t first) noexcept;
  void release_vip(ServiceMaps &maps, uint32_t vip) noexcept;
  void abandon(Change &change) noexcept;
  void collect(ServiceMaps &maps);
  Before entries_of(ServiceMaps &maps, const Change &change) const;
  void commit(Change &change);
  static void put_back(ServiceMaps &maps, const Before::value_type &old);
  void undo(ServiceMaps &maps, Before before, const std::vector<ServiceId> &switched) noexcept;
  void forget(ServiceMaps &maps, const ServiceId &id) noexcept;
  void remove_leftovers(ServiceMaps &maps, const Wishes &wishes, const Chunks &chunks);
  bool stands(const Wish &wish, const TrafficTable::Numbers &counters, const Entries &entries,
              const Chunks &chunks) const;
  template <class Call>
  bool attempt(const char *what, Call call) noexcept;

  polycube::service::BaseCube &cube_;
  TrafficTable &traffic_;
  std::map<ServiceId, abi::service_head> heads_;
  KnownEndpoints known_;
  SourceRangeTable sources_;
  std::map<uint32_t, uint32_t> services_of_vip_;  // 0 while its first one is prepared
  std::map<uint32_t, uint32_t> segments_;         // first chunk, number of chunks
  uint32_t chunks_used_ = 0;
  uint32_t next_chunk_ = 1;
  uint32_t version_;
  Before lost_;  // entries that a change has replaced which was refused, as long as the kernel refuses them
  bool leftovers_ = false;  // the kernel has not let go of something that nothing leads to
};

}  // namespace k8slbrp
