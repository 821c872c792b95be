// Removes sessions that are over. The kernel evicts nothing from `clients` and `flows`, so this is also who
// makes room when they are nearly full.
#pragma once

#include <polycube/services/base_cube.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "Evictions.h"
#include "SessionWalk.h"

namespace k8slbrp {

// The maps that the thread needs.
constexpr std::initializer_list<const char *> kReapedMaps = {
    "openings", "flows", "clients", "settings", "events", "evictions", "table_changes"};

// A thread of its own. It takes none of the cube's locks; who asks for statistics waits for one batch of
// removals at most.
class SessionReaper {
 public:
  // `maps`: those of kReapedMaps.
  SessionReaper(const OpenMaps &maps, const Openings &openings, Evictions &evictions,
                std::shared_ptr<spdlog::logger> log, uint32_t max_sessions);
  ~SessionReaper();
  SessionReaper(const SessionReaper &) = delete;
  SessionReaper &operator=(const SessionReaper &) = delete;

 private:
  // Packets with a forged source establish a session of UDP or ICMP if a server answers them. One of TCP
  // needs a client that sees the answers, so such connections go last.
  enum class Standing : uint8_t { NotEstablished, Established, Connection };
  // Who has to go first; of the same standing, those that were not seen for longest.
  struct Rank {
    Standing standing;
    uint32_t last_seen;
    bool operator<(const Rank &other) const {
      if (standing != other.standing) return standing < other.standing;
      return static_cast<int32_t>(last_seen - other.last_seen) < 0;
    }
  };
  // How many entries of a rank, by table.
  using Ranks = std::array<std::map<Rank, uint32_t>, kSessionMaps.size()>;

  void run();
  void reap();
  // Returns what stays.
  Ranks remove_finished(SessionClock &clock);
  void evict(Ranks &surplus);
  // The entries that have to go so that a quarter of the table is free.
  static std::map<Rank, uint32_t> surplus(const std::map<Rank, uint32_t> &there, uint32_t excess,
                                          uint32_t now);
  static Standing standing(const SessionEntry &entry);
  static Rank rank(const SessionEntry &entry) { return {standing(entry), entry.session.last_seen}; }
  // How often the datapath has found no room.
  uint64_t refusals() const;

  const OpenMaps &maps_;
  const Openings &openings_;
  const std::shared_ptr<spdlog::logger> log_;
  Evictions &evictions_;
  const std::array<uint32_t, kSessionMaps.size()> limits_;  // 0: none
  std::chrono::steady_clock::duration pause_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace k8slbrp
