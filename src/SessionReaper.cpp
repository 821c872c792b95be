#include "SessionReaper.h"

#include <netinet/in.h>

#include <algorithm>
#include <numeric>

#include "SessionMaps.h"

namespace k8slbrp {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr seconds kLook{1};          // between looks whether there is no room
constexpr seconds kUsualPause{10};   // between walks through the tables
constexpr seconds kFillingPause{1};  // the same when a table is more than half full
constexpr int kShareOfTime = 10;     // a pause is at least so many times as long as the walk before it
constexpr int32_t kMinIdle = 2;      // seconds: packets of others may be on their way

// In the other table, `openings`, new sessions make room themselves.
constexpr WalkPosition kBegin = {static_cast<uint32_t>(SessionMap::Flows), std::nullopt};

template <class Counts>
uint32_t sum(const Counts &counts) {
  return std::accumulate(counts.begin(), counts.end(), uint32_t{0},
                         [](uint32_t sum, const auto &count) { return sum + count.second; });
}

}  // namespace

SessionReaper::SessionReaper(const OpenMaps &maps, const Openings &openings, Evictions &evictions,
                             std::shared_ptr<spdlog::logger> log, uint32_t max_sessions)
    : maps_(maps),
      openings_(openings),
      log_(std::move(log)),
      evictions_(evictions),
      limits_{0, FLOW_ENTRIES(max_sessions), CLIENT_ENTRIES(max_sessions)},
      pause_(kUsualPause) {
  thread_ = std::thread(&SessionReaper::run, this);
}

SessionReaper::~SessionReaper() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void SessionReaper::run() {
  auto soonest = Clock::now(), next = soonest + pause_;
  uint64_t refusals_seen = 0;
  bool failed = false;
  const auto stops = [&] {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, kLook, [this] { return stops_; });
  };
  while (!stops()) try {
      const uint64_t refused = refusals();
      const auto begin = Clock::now();
      if (begin < (refused == refusals_seen ? next : soonest)) continue;
      refusals_seen = refused;
      reap();
      const auto end = Clock::now();
      soonest = end + kShareOfTime * (end - begin);
      next = std::max(end + pause_, soonest);
      failed = false;
    } catch (const std::exception &failure) {
      if (!failed) log_->warn("cannot remove sessions that are over: {}", failure.what());
      failed = true;  // said once; the next look tries again
    }
}

void SessionReaper::reap() {
  SessionClock clock(maps_);
  const auto there = remove_finished(clock);
  pause_ = kUsualPause;
  Ranks excess;
  bool evicts = false;
  for (std::size_t map = 0; map < limits_.size(); ++map) {
    const uint32_t entries = sum(there[map]), limit = limits_[map];
    if (entries > limit / 2) pause_ = kFillingPause;
    if (entries <= limit / 8 * 7) continue;
    excess[map] = surplus(there[map], entries - limit / 4 * 3, clock.now());
    evicts = true;
  }
  if (evicts) evict(excess);
}

SessionReaper::Ranks SessionReaper::remove_finished(SessionClock &clock) {
  Ranks there;
  SessionMaps sessions(maps_, openings_);
  for (SessionWalk walk(maps_, openings_, kBegin); walk.next();)
    evictions_.while_removing([&](auto &removed) {
      for (const auto &entry : walk.entries()) {
        clock.at_least(entry.session.last_seen);
        if (clock.is_over(entry))
          removed += sessions.remove_if_unseen(entry);
        else
          ++there[static_cast<std::size_t>(entry.map)][rank(entry)];
      }
    });
  return there;
}

std::map<SessionReaper::Rank, uint32_t> SessionReaper::surplus(const std::map<Rank, uint32_t> &there,
                                                               uint32_t excess, uint32_t now) {
  std::map<Rank, uint32_t> chosen;
  for (const auto &[rank, count] : there) {
    const uint32_t go = std::min(count, excess);
    if (go == 0) break;
    // What is new goes at the next look, if it has not become an established session by then.
    if (static_cast<int32_t>(now - rank.last_seen) >= kMinIdle) chosen[rank] = go;
    excess -= go;
  }
  return chosen;
}

void SessionReaper::evict(Ranks &surplus) {
  SessionMaps sessions(maps_, openings_);
  for (SessionWalk walk(maps_, openings_, kBegin); walk.next();)
    for (const auto &entry : walk.entries()) {
      const auto map = static_cast<std::size_t>(entry.map);
      const auto found = surplus[map].find(rank(entry));
      if (found == surplus[map].end() || found->second == 0) continue;
      // Nobody is told: so it counts as evicted.
      const auto removed = sessions.remove_if_unseen(entry);
      found->second -= std::min(found->second, removed[map]);
    }
}

SessionReaper::Standing SessionReaper::standing(const SessionEntry &entry) {
  const auto &session = entry.session;
  // One found in the middle of a connection is in use before anybody has confirmed it.
  const bool is_confirmed = session.place_number == 0;
  const bool is_in_use =
      session.state >= abi::SESSION_ESTABLISHED && session.state <= abi::SESSION_SERVER_CLOSED;
  if (!is_in_use || !is_confirmed) return Standing::NotEstablished;
  return entry.proto == IPPROTO_TCP ? Standing::Connection : Standing::Established;
}

uint64_t SessionReaper::refusals() const {
  auto events = Maps(maps_).percpu_array<uint64_t>("events");
  uint64_t sum = 0;
  for (const auto event : {abi::EVENT_TABLE_BUSY, abi::EVENT_NOT_PROMOTED})
    for (const uint64_t count : events.get(event)) sum += count;
  return sum;
}

}  // namespace k8slbrp
