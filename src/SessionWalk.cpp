#include "SessionWalk.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "KernelClock.h"

namespace k8slbrp {
namespace {

// At most so many entries with one system call, which holds up writers of one bucket at a time only.
constexpr uint32_t kBatch = 4096;

}  // namespace

SessionClock::SessionClock(const Maps &maps)
    : settings_(maps.array<abi::settings>("settings").get(0)), now_(current_tick()) {}

uint32_t SessionClock::idle(const abi::session &session) const {
  const auto idle = static_cast<int32_t>(now_ - session.last_seen);
  return idle > 0 ? static_cast<uint32_t>(idle) : 0;
}

uint32_t SessionClock::timeout(const SessionEntry &entry) const {
  return settings_.timeouts[entry.proto % SETTINGS_PROTOCOLS][entry.session.state % SETTINGS_STATES];
}

uint32_t SessionClock::remaining(const SessionEntry &entry) const {
  if (is_over(entry) || entry.session.state == abi::SESSION_ENDED) return 0;
  return timeout(entry) - idle(entry.session) + 1;
}

void SessionClock::at_least(uint32_t tick) {
  if (static_cast<int32_t>(tick - now_) > 0) now_ = tick;
}

SessionWalk::SessionWalk(const Maps &maps, const Openings &openings, WalkPosition from)
    : maps_(maps),
      openings_(openings),
      keys_(kBatch * sizeof(abi::flow_key)),
      sessions_(kBatch),
      next_(from) {
  entries_.reserve(kBatch);
}

bool SessionWalk::next() {
  while (next_.map < kSessionMaps.size()) {
    position_ = next_;
    const auto map = static_cast<SessionMap>(position_.map);
    const char *name = kSessionMaps[position_.map];
    if (map == SessionMap::Openings ? read_openings()
        : map == SessionMap::Flows  ? read<abi::flow_key>(name)
                                    : read<abi::client_key>(name))
      return true;
  }
  return false;
}

// One at a time: so what comes and goes moves no position.
bool SessionWalk::read_openings() {
  entries_.clear();
  for (uint32_t place = position_.bucket.value_or(0); place < openings_.places(); ++place) {
    const auto found = openings_.at(place);
    if (!found) continue;
    entries_.push_back({SessionMap::Openings, found->proto, found->session});
    position_.bucket = place;
    next_ = {position_.map, place + 1};
    return true;
  }
  next_ = {position_.map + 1, std::nullopt};
  return false;
}

template <class Key>
bool SessionWalk::read(const char *name) {
  // A recompilation closes the host's file descriptor, and keeps the map: so each batch gets it anew.
  auto table = maps_.raw(name);
  uint32_t in = position_.bucket.value_or(0), out = 0, count = kBatch;
  const int failed =
      table.get_batch(keys_.data(), sessions_.data(), &count, position_.bucket ? &in : nullptr, &out);
  const int error = failed ? errno : 0;
  if (failed && error != ENOENT)
    throw std::runtime_error(std::string(name) + ": cannot be listed: " + std::strerror(error));
  next_ = failed ? WalkPosition{position_.map + 1, std::nullopt} : WalkPosition{position_.map, out};
  entries_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    Key key;
    std::memcpy(&key, keys_.data() + i * sizeof(Key), sizeof(Key));
    entries_.push_back({static_cast<SessionMap>(position_.map), key.proto, sessions_[i]});
  }
  return count > 0;
}

}  // namespace k8slbrp
