#include "SessionTally.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace k8slbrp {
namespace {

// Entries of a map of which the control plane keeps no count.
template <class Key, class Value>
uint32_t count_entries(polycube::service::BaseCube &cube, const char *name) {
  constexpr uint32_t kBatch = 1024;
  std::vector<Key> keys(kBatch);
  std::vector<Value> values(kBatch);
  Key cursor{};
  uint32_t sum = 0;
  for (bool first = true, more = true; more; first = false) {
    uint32_t count = kBatch;
    Key next{};
    auto table = cube.get_raw_table(name);
    more = table.get_batch(keys.data(), values.data(), &count, first ? nullptr : &cursor, &next) == 0;
    cursor = next;
    sum += count;
  }
  return sum;
}

}  // namespace

std::size_t SessionTally::Hash::operator()(const Backend &backend) const {
  uint64_t hash = (uint64_t{backend.service.vip} << 32 | backend.ip) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 32;
  hash += uint64_t{backend.service.port} << 8 | backend.service.protocol;
  return hash * 0xbf58476d1ce4e5b9ULL >> 16;
}

SessionTally::SessionTally(polycube::service::BaseCube &cube, const Openings &openings, Evictions &evictions)
    : fragments_(count_entries<abi::fragment_key, abi::fragment>(cube, "fragments")),
      affinities_(count_entries<abi::affinity_key, abi::affinity>(cube, "affinities")),
      source_ranges_(count_entries<abi::source_range, uint32_t>(cube, "source_ranges")) {
  const uint64_t added = evictions.added();
  SessionClock clock(cube);
  for (SessionWalk walk(cube, openings); walk.next();)
    for (const auto &entry : walk.entries()) {
      clock.at_least(entry.session.last_seen);
      add(entry, clock);
    }
  for (const auto &[backend, count] : active_) of_services_[backend.service] += count;
  evicted_[static_cast<std::size_t>(SessionMap::Openings)] = evictions.from_openings();
  evicted_[static_cast<std::size_t>(SessionMap::Clients)] =
      evictions.settle(added, entries(SessionMap::Clients));
}

void SessionTally::add(const SessionEntry &entry, const SessionClock &clock) {
  ++entries_[static_cast<std::size_t>(entry.map)];
  if (!entry.counts()) return;
  if (clock.remaining(entry) == 0) {
    ++expired_;
    return;
  }
  const auto &session = entry.session;
  ++states_[entry.proto % SETTINGS_PROTOCOLS][session.state % SETTINGS_STATES];
  if (session.flags & SESSION_FLAG_DIRECT)
    ++direct_;
  else
    ++active_[{{session.front.server, ntohs(session.front.server_port), entry.proto}, session.back.server}];
}

uint32_t SessionTally::in_state(uint8_t protocol, std::initializer_list<abi::session_state> states) const {
  uint32_t sum = 0;
  for (const auto state : states) sum += states_[protocol][state];
  return sum;
}

uint32_t SessionTally::active(const ServiceId &service) const {
  const auto found = of_services_.find(service);
  return found == of_services_.end() ? 0 : found->second;
}

uint32_t SessionTally::active(const ServiceId &service, uint32_t backend) const {
  const auto found = active_.find({service, backend});
  return found == active_.end() ? 0 : found->second;
}

std::shared_ptr<const SessionTally> LastTally::get() {
  const std::lock_guard lock(mutex_);
  if (!tally_ || Clock::now() - since_ > kMaxAge) {
    tally_ = std::make_shared<const SessionTally>(cube_, openings_, evictions_);
    since_ = Clock::now();
  }
  return tally_;
}

}  // namespace k8slbrp
