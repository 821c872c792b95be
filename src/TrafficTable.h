// Which counters of the map `traffic` are whose, and what they say.
#pragma once

#include <polycube/services/base_cube.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "Service.h"
#include "Openings.h"
#include "datapath/abi.h"

namespace k8slbrp {

void add(abi::traffic &sum, const abi::traffic &figures);

// A backend of a service has a number as long as it is the service's backend; sessions carry it. When it has
// gone, sessions still do: so its number is used again only after none has been seen for a while, and what it
// has counted by then goes on as the service's. The kernel keeps all of this: an owner for each number in
// `counter_owners`, and the figures of those gone in `removed_traffic`.
//
// Thread-safe. Those who change services also hold the configuration lock.
class TrafficTable {
 public:
  using Numbers = std::map<uint32_t, uint16_t>;  // by address; NO_COUNTER where there is none left
  using Clock = std::chrono::steady_clock;

  TrafficTable(polycube::service::BaseCube &cube, const Openings &openings, uint32_t max_sessions);

  // Takes over what an earlier run has left in the maps.
  void adopt();

  // Adds the numbers of these backends of a service to `numbers`. Those that are new get theirs, which will
  // be free again unless settle() confirms them. When it throws, `numbers` are those given until then.
  void give(const ServiceId &service, const ServiceBackends &backends, Numbers &numbers);
  // They will not be used after all: those that are new, and that no session can have, are free at once.
  void discard(const ServiceId &service, const Numbers &backends);
  // These are the service's backends now; it is no more; no others than these are services.
  void settle(const ServiceId &service, const Numbers &backends);
  void remove(const ServiceId &service);
  void keep_only(const std::set<ServiceId> &services);

  // Of a service, with all backends it has ever had; of a backend, if it has a number.
  abi::traffic of(const ServiceId &service);
  std::optional<abi::traffic> of(const ServiceId &service, uint32_t backend);
  // Of all that have no number; of everybody.
  abi::traffic others();
  abi::traffic all();

  std::size_t used() const;
  uint32_t limit() const { return limit_; }

  // How long no session may have had a number before it is used again: longer than notes of fragments live.
  static constexpr std::chrono::seconds kQuarantine{35};

 private:
  struct Owner {
    ServiceId service;  // all zero: one that is no more
    uint32_t backend = 0;
    bool operator<(const Owner &other) const {
      return std::tie(service, backend) < std::tie(other.service, other.backend);
    }
  };
  // A number whose backend has gone, or is not there yet.
  struct Leaving {
    Clock::time_point since;
    std::optional<Clock::time_point> unseen_since;
    bool fresh = false;  // given to nobody since it was free
  };
  // Figures that are among those of a service's removed backends by now, but not cleared yet where they were:
  // in a number, or in a service that is no more.
  struct Move {
    ServiceId to, from;
    uint16_t number = NO_COUNTER;
    bool is_cleared = false;  // the number is; only the note in the kernel still names it
  };

  std::vector<uint16_t> owned_by(const ServiceId &service) const;
  uint16_t take(const Owner &owner);
  void own(uint16_t number, const Owner &owner);
  void leave(uint16_t number);
  void make_room(std::size_t wanted);
  void reuse(uint16_t number);
  void add_removed(const ServiceId &service, const abi::traffic &figures, uint16_t number,
                   const ServiceId &from);
  void finish_move();
  abi::traffic read(uint16_t number) const;

  polycube::service::BaseCube &cube_;
  const Openings &openings_;
  const uint32_t limit_;
  mutable std::mutex mutex_;
  std::map<uint16_t, Owner> owners_;
  std::map<Owner, uint16_t> numbers_;  // of services that are there
  std::map<uint16_t, Leaving> leaving_;
  std::map<ServiceId, abi::traffic> removed_;
  std::optional<Move> move_;
  uint16_t last_ = NO_COUNTER;
  Clock::time_point looked_{};
};

}  // namespace k8slbrp
