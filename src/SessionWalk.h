// The entries of the session tables, read in batches while packets go on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "Maps.h"
#include "Openings.h"
#include "datapath/abi.h"

namespace k8slbrp {

// The tables with sessions, in an order in which a session that moves on (openings, flows, clients) is seen.
enum class SessionMap : uint8_t { Openings, Flows, Clients };
constexpr std::array<const char *, 3> kSessionMaps = {"openings", "flows", "clients"};

// Numbers of entries, by table.
using EntryCounts = std::array<uint32_t, kSessionMaps.size()>;

struct SessionEntry {
  SessionMap map{};
  uint8_t proto = 0;
  abi::session session{};

  // Whether the session is counted by this entry. One that stands beside others has a second one, for
  // answers.
  bool counts() const { return map != SessionMap::Flows || !(session.flags & SESSION_FLAG_FROM_SERVER); }
};

// What the datapath takes the time and the timeouts from.
class SessionClock {
 public:
  explicit SessionClock(const Maps &maps);

  uint32_t idle(const abi::session &session) const;
  // Seconds until it ends without another packet; 0: it has ended.
  uint32_t remaining(const SessionEntry &entry) const;
  // Whether nobody needs it any more. What was ended with a reset stays as long: its ends may have to be
  // told.
  bool is_over(const SessionEntry &entry) const { return idle(entry.session) > timeout(entry); }
  uint32_t now() const { return now_; }

  // No session was seen in the future: clocks of the kernel and of this process are a tick apart.
  void at_least(uint32_t tick);

 private:
  uint32_t timeout(const SessionEntry &entry) const;

  abi::settings settings_;
  uint32_t now_;
};

struct WalkPosition {
  uint32_t map = 0;
  std::optional<uint32_t> bucket;  // or place in `openings`; none: the first one

  bool operator==(const WalkPosition &other) const { return map == other.map && bucket == other.bucket; }
};

// A walk through all tables. An entry that stays is seen once; one that comes or goes meanwhile, perhaps.
// Where it goes on later from a bucket, other entries of that bucket may have come or gone.
class SessionWalk {
 public:
  SessionWalk(const Maps &maps, const Openings &openings, WalkPosition from = {});

  // Reads some entries; false at the end.
  bool next();
  const std::vector<SessionEntry> &entries() const { return entries_; }
  // Where the entries are.
  const WalkPosition &position() const { return position_; }

 private:
  bool read_openings();
  template <class Key>
  bool read(const char *name);

  const Maps maps_;
  const Openings &openings_;
  std::vector<SessionEntry> entries_;
  std::vector<uint8_t> keys_;
  std::vector<abi::session> sessions_;
  WalkPosition position_, next_;
};

}  // namespace k8slbrp
