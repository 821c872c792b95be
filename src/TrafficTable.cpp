#include "TrafficTable.h"

#include <arpa/inet.h>

#include <algorithm>

#include "Layout.h"
#include "SessionWalk.h"
#include "Tables.h"

namespace k8slbrp {
namespace {

using OwnerMap = HashMap<uint32_t, abi::counter_owner>;
using RemovedMap = HashMap<abi::service_key, abi::removed_traffic>;

const ServiceId kNoService{};

bool equal(const ServiceId &a, const ServiceId &b) { return !(a < b) && !(b < a); }

abi::traffic sum_of(const std::vector<abi::traffic> &cpus) {
  abi::traffic sum{};
  for (const auto &cpu : cpus) add(sum, cpu);
  return sum;
}

bool is_zero(const abi::traffic &figures) {
  return figures.packets_in == 0 && figures.packets_out == 0 && figures.new_sessions == 0;
}

// Which numbers some session, or a note of a datagram in pieces, has.
std::vector<bool> numbers_in_use(polycube::service::BaseCube &cube, const Openings &openings) {
  std::vector<bool> used(MAX_COUNTERS);
  for (SessionWalk walk(cube, openings); walk.next();)
    for (const auto &entry : walk.entries()) used[entry.session.counter % MAX_COUNTERS] = true;
  return used;
}

}  // namespace

void add(abi::traffic &sum, const abi::traffic &figures) {
  sum.packets_in += figures.packets_in;
  sum.bytes_in += figures.bytes_in;
  sum.packets_out += figures.packets_out;
  sum.bytes_out += figures.bytes_out;
  sum.new_sessions += figures.new_sessions;
}

TrafficTable::TrafficTable(polycube::service::BaseCube &cube, const Openings &openings, uint32_t max_sessions)
    : cube_(cube), openings_(openings), limit_(COUNTERS(max_sessions)) {}

// --- figures ---

abi::traffic TrafficTable::read(uint16_t number) const {
  if (move_ && number != NO_COUNTER && number == move_->number && !move_->is_cleared) return {};
  return sum_of(cube_.get_percpuarray_table<abi::traffic>("traffic").get(number));
}

std::vector<uint16_t> TrafficTable::owned_by(const ServiceId &service) const {
  std::vector<uint16_t> numbers;
  for (auto it = numbers_.lower_bound({service, 0}); it != numbers_.end(); ++it) {
    if (!equal(it->first.service, service)) break;
    numbers.push_back(it->second);
  }
  return numbers;
}

abi::traffic TrafficTable::of(const ServiceId &service) {
  const std::lock_guard lock(mutex_);
  abi::traffic sum{};
  for (const auto number : owned_by(service)) add(sum, read(number));
  if (const auto found = removed_.find(service); found != removed_.end()) add(sum, found->second);
  return sum;
}

std::optional<abi::traffic> TrafficTable::of(const ServiceId &service, uint32_t backend) {
  const std::lock_guard lock(mutex_);
  const auto found = numbers_.find({service, backend});
  if (found == numbers_.end()) return std::nullopt;
  return read(found->second);
}

abi::traffic TrafficTable::others() {
  const std::lock_guard lock(mutex_);
  return read(NO_COUNTER);
}

abi::traffic TrafficTable::all() {
  const std::lock_guard lock(mutex_);
  abi::traffic sum = read(NO_COUNTER);
  for (const auto &[number, _] : owners_) add(sum, read(number));
  for (const auto &[_, figures] : removed_) add(sum, figures);
  return sum;
}

std::size_t TrafficTable::used() const {
  const std::lock_guard lock(mutex_);
  return owners_.size();
}

// --- numbers ---

void TrafficTable::own(uint16_t number, const Owner &owner) {
  OwnerMap(cube_, "counter_owners").set(number, {kernel_key(owner.service), owner.backend});
  owners_[number] = owner;
}

// The next free number; NO_COUNTER when there is none.
uint16_t TrafficTable::take(const Owner &owner) {
  if (owners_.size() + 1 >= limit_) return NO_COUNTER;
  do {
    last_ = static_cast<uint16_t>(last_ + 1u < limit_ ? last_ + 1 : 1);
  } while (owners_.count(last_) > 0);
  own(last_, owner);
  numbers_.emplace(owner, last_);
  leaving_[last_] = {Clock::now(), std::nullopt, true};
  return last_;
}

void TrafficTable::give(const ServiceId &service, const ServiceBackends &backends, Numbers &numbers) {
  make_room(backends.size());
  const std::lock_guard lock(mutex_);
  for (const auto &[ip, _] : backends) {
    const Owner owner{service, ip};
    const auto found = numbers_.find(owner);
    if (found == numbers_.end()) {
      numbers.emplace(ip, take(owner));
      continue;
    }
    // Who finishes it later, after a start, would clear what the number counts from now on.
    if (move_ && move_->number == found->second) finish_move();
    if (const auto leaving = leaving_.find(found->second); leaving != leaving_.end())
      leaving->second = {Clock::now(), std::nullopt};
    numbers.emplace(ip, found->second);
  }
}

void TrafficTable::discard(const ServiceId &service, const Numbers &backends) {
  const std::lock_guard lock(mutex_);
  OwnerMap owners(cube_, "counter_owners");
  for (const auto &[ip, number] : backends) {
    const auto leaving = leaving_.find(number);
    if (leaving == leaving_.end() || !leaving->second.fresh) continue;
    owners.remove(number);
    owners_.erase(number);
    numbers_.erase({service, ip});
    leaving_.erase(leaving);
  }
}

void TrafficTable::leave(uint16_t number) { leaving_.emplace(number, Leaving{Clock::now(), std::nullopt}); }

void TrafficTable::settle(const ServiceId &service, const Numbers &backends) {
  const std::lock_guard lock(mutex_);
  for (auto it = numbers_.lower_bound({service, 0}); it != numbers_.end(); ++it) {
    if (!equal(it->first.service, service)) break;
    if (backends.count(it->first.backend) == 0)
      leave(it->second);
    else
      leaving_.erase(it->second);
  }
}

void TrafficTable::remove(const ServiceId &service) {
  const std::lock_guard lock(mutex_);
  for (const auto number : owned_by(service)) {
    const uint32_t backend = owners_.at(number).backend;
    own(number, {kNoService, backend});
    leave(number);
    numbers_.erase({service, backend});  // last: what is not in there is not tried again
  }
  if (const auto found = removed_.find(service); found != removed_.end())
    add_removed(kNoService, found->second, NO_COUNTER, service);
}

void TrafficTable::keep_only(const std::set<ServiceId> &services) {
  std::set<ServiceId> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[owner, _] : numbers_) gone.insert(owner.service);
    for (const auto &[service, _] : removed_) gone.insert(service);
  }
  gone.erase(kNoService);
  for (const auto &service : gone)
    if (services.count(service) == 0) remove(service);
}

// --- numbers that are used again ---

// Looks which numbers are free by now, when they are few; once in a while, because that goes through all
// sessions.
void TrafficTable::make_room(std::size_t wanted) {
  const auto start = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    const std::size_t free = limit_ - 1 - owners_.size();
    if (leaving_.empty() || free >= wanted + limit_ / 8 || start - looked_ < kQuarantine) return;
    looked_ = start;
  }
  std::vector<bool> used;
  try {
    used = numbers_in_use(cube_, openings_);
  } catch (const std::exception &failure) {
    cube_.logger()->warn("cannot tell which counters are free: {}", failure.what());
    return;
  }
  const std::lock_guard lock(mutex_);
  for (auto it = leaving_.begin(); it != leaving_.end();) {
    auto &[number, leaving] = *it++;
    if (used[number] || leaving.since + kQuarantine > start) {
      leaving.unseen_since.reset();
    } else if (!leaving.unseen_since) {
      leaving.unseen_since = start;
    } else {
      try {
        reuse(number);
      } catch (const std::exception &failure) {
        cube_.logger()->warn("cannot free counter {}: {}", number, failure.what());
        return;
      }
    }
  }
}

void TrafficTable::reuse(uint16_t number) {
  const Owner owner = owners_.at(number);
  finish_move();  // perhaps that of this number
  if (const auto figures = read(number); !is_zero(figures))
    add_removed(owner.service, figures, number, kNoService);
  OwnerMap(cube_, "counter_owners").remove(number);
  owners_.erase(number);
  if (const auto found = numbers_.find(owner); found != numbers_.end() && found->second == number)
    numbers_.erase(found);
  leaving_.erase(number);
}

// Moves figures to those of a service's removed backends: from a number, or from a service that is no more.
// They are there with one update, which also says what is no longer to be counted where it was: so nothing is
// counted twice, or not at all, whenever this process ends.
void TrafficTable::add_removed(const ServiceId &service, const abi::traffic &figures, uint16_t number,
                               const ServiceId &from) {
  finish_move();
  abi::traffic sum = figures;
  if (const auto found = removed_.find(service); found != removed_.end()) add(sum, found->second);
  RemovedMap(cube_, "removed_traffic").set(kernel_key(service), {sum, kernel_key(from), number, 0});
  removed_[service] = sum;
  if (!equal(from, kNoService)) removed_.erase(from);
  move_ = {service, from, number};
  finish_move();
}

// What the kernel refuses is tried again before the next move, whose update would otherwise hide this one.
void TrafficTable::finish_move() {
  if (!move_) return;
  auto &[to, from, number, is_cleared] = *move_;
  RemovedMap removed(cube_, "removed_traffic");
  if (number != NO_COUNTER && !is_cleared)
    cube_.get_percpuarray_table<abi::traffic>("traffic").set(number, abi::traffic{});
  is_cleared = true;
  if (!equal(from, kNoService)) removed.remove(kernel_key(from));
  removed.set(kernel_key(to), {removed_.at(to), kernel_key(kNoService), NO_COUNTER, 0});
  move_.reset();
}

// --- after a start ---

void TrafficTable::adopt() {
  const std::lock_guard lock(mutex_);
  const auto removed = RemovedMap(cube_, "removed_traffic").get_all();
  for (const auto &[key, value] : removed) removed_.emplace(id_of(key), value.traffic);
  // At most one move is unfinished. What the kernel refuses now, the next move finishes.
  for (const auto &[key, value] : removed) {
    const ServiceId to = id_of(key), from = id_of(value.from);
    const bool is_finished = value.number == NO_COUNTER && equal(from, kNoService);
    if (is_finished || removed_.count(to) == 0) continue;
    if (!equal(from, kNoService)) removed_.erase(from);
    move_ = {to, from, static_cast<uint16_t>(value.number)};
    try {
      finish_move();
    } catch (const std::exception &failure) {
      cube_.logger()->warn("cannot finish a move of figures yet: {}", failure.what());
    }
  }
  for (const auto &[number, owner] : OwnerMap(cube_, "counter_owners").get_all()) {
    if (number == NO_COUNTER || number >= limit_) continue;
    owners_[static_cast<uint16_t>(number)] = {id_of(owner.service), owner.backend};
  }
  for (const auto &[number, owner] : owners_) {
    if (!equal(owner.service, kNoService)) numbers_.emplace(owner, number);
    leave(number);
  }
}

}  // namespace k8slbrp
