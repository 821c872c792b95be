// How many sessions there are: by protocol and state, by backend, by table.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "Evictions.h"
#include "Service.h"
#include "SessionWalk.h"

namespace k8slbrp {

class SessionTally {
 public:
  SessionTally(polycube::service::BaseCube &cube, const Openings &openings, Evictions &evictions);

  uint32_t in_state(uint8_t protocol, std::initializer_list<abi::session_state> states) const;
  uint32_t expired() const { return expired_; }
  // Sessions in use: of a service, of one of its backends, by address, and of those to a backend's own
  // address.
  uint32_t active(const ServiceId &service) const;
  uint32_t active(const ServiceId &service, uint32_t backend) const;
  uint32_t direct() const { return direct_; }
  uint32_t entries(SessionMap map) const { return entries_[static_cast<std::size_t>(map)]; }
  // From this table, `openings` or `clients`.
  uint64_t evicted(SessionMap map) const { return evicted_[static_cast<std::size_t>(map)]; }
  uint32_t fragments() const { return fragments_; }
  uint32_t affinities() const { return affinities_; }
  uint32_t source_ranges() const { return source_ranges_; }

 private:
  struct Backend {
    ServiceId service;
    uint32_t ip;
    bool operator==(const Backend &other) const {
      return ip == other.ip && service.vip == other.service.vip && service.port == other.service.port &&
             service.protocol == other.service.protocol;
    }
  };
  struct Hash {
    std::size_t operator()(const Backend &backend) const;
  };

  void add(const SessionEntry &entry, const SessionClock &clock);

  std::array<uint32_t, kSessionMaps.size()> entries_{};
  std::array<std::array<uint32_t, SETTINGS_STATES>, SETTINGS_PROTOCOLS> states_{};
  std::unordered_map<Backend, uint32_t, Hash> active_;
  std::map<ServiceId, uint32_t> of_services_;
  uint32_t expired_ = 0;
  uint32_t direct_ = 0;
  std::array<uint64_t, kSessionMaps.size()> evicted_{};
  uint32_t fragments_ = 0;
  uint32_t affinities_ = 0;
  uint32_t source_ranges_ = 0;
};

// The last tally, if it is not old. The walk takes none of the cube's locks: nobody who changes something
// waits for it, and who asks meanwhile gets its result.
class LastTally {
 public:
  LastTally(polycube::service::BaseCube &cube, const Openings &openings, Evictions &evictions)
      : cube_(cube), openings_(openings), evictions_(evictions) {}
  std::shared_ptr<const SessionTally> get();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kMaxAge{1};

  polycube::service::BaseCube &cube_;
  const Openings &openings_;
  Evictions &evictions_;
  std::mutex mutex_;
  std::shared_ptr<const SessionTally> tally_;
  Clock::time_point since_;
};

}  // namespace k8slbrp
