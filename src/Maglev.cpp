#include "Maglev.h"

#include <algorithm>
#include <numeric>
#include <queue>

namespace k8slbrp {
namespace {

constexpr uint32_t kFree = UINT32_MAX;
constexpr uint64_t kSlotsOfLightest = 100;

// The finalizer of SplitMix64: every bit of the input reaches every bit of the output.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// A backend's preferences: all slots in an order of its own, because `step` and the prime `size` have no
// common factor.
struct Preferences {
  uint32_t next;
  uint32_t step;

  Preferences(uint64_t identity, uint32_t size)
      : next(static_cast<uint32_t>(mix(identity + 1) % size)),
        step(static_cast<uint32_t>(1 + mix(~identity) % (size - 1))) {}

  uint32_t take(uint32_t size) {
    const uint32_t slot = next;
    next = static_cast<uint32_t>((uint64_t{next} + step) % size);
    return slot;
  }
};

// Shares of `size` slots by weight, by the method of largest remainders, but none below one slot.
std::vector<uint32_t> quotas(const std::vector<Candidate> &candidates, uint32_t size) {
  const uint64_t total = std::accumulate(candidates.begin(), candidates.end(), uint64_t{0},
                                         [](uint64_t sum, const Candidate &c) { return sum + c.weight; });
  std::vector<uint32_t> quota(candidates.size());
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  int64_t left = size;
  for (const auto i : order) {
    quota[i] = std::max<uint32_t>(1, static_cast<uint32_t>(uint64_t{candidates[i].weight} * size / total));
    left -= quota[i];
  }
  const auto remainder = [&](std::size_t i) { return uint64_t{candidates[i].weight} * size % total; };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return remainder(a) != remainder(b) ? remainder(a) > remainder(b)
                                        : candidates[a].identity < candidates[b].identity;
  });
  for (std::size_t k = 0; left > 0; k = (k + 1) % order.size(), --left) ++quota[order[k]];
  while (left < 0) {  // minimum shares were handed out: the largest give them back
    ++left;
    --*std::max_element(quota.begin(), quota.end());
  }
  return quota;
}

}  // namespace

uint32_t table_size(const std::vector<Candidate> &candidates) {
  if (candidates.size() <= 1) return static_cast<uint32_t>(candidates.size());
  uint64_t total = 0;
  uint64_t lightest = UINT32_MAX;
  for (const auto &candidate : candidates) {
    total += candidate.weight;
    lightest = std::min<uint64_t>(lightest, candidate.weight);
  }
  for (const uint32_t size : {1009, 10007})
    if (size * lightest >= kSlotsOfLightest * total) return size;
  return kLargestTable;
}

std::vector<uint32_t> assign_slots(const std::vector<Candidate> &candidates, uint32_t size) {
  if (candidates.size() <= 1) return std::vector<uint32_t>(candidates.empty() ? 0 : size, 0);
  auto quota = quotas(candidates, size);
  std::vector<Preferences> preferences;
  preferences.reserve(candidates.size());
  for (const auto &candidate : candidates) preferences.emplace_back(candidate.identity, size);

  // Backends pick in turns, the heavier the more often: the one whose next pick is due first in virtual time.
  struct Turn {
    uint64_t due;
    uint64_t identity;
    uint32_t index;
    uint32_t taken;
    bool operator>(const Turn &other) const {
      return due != other.due ? due > other.due : identity > other.identity;
    }
  };
  const auto due = [&](uint32_t index, uint32_t taken) {
    return (uint64_t{taken} + 1) * (uint64_t{1} << 40) / candidates[index].weight;
  };
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  for (uint32_t i = 0; i < candidates.size(); ++i) turns.push({due(i, 0), candidates[i].identity, i, 0});

  std::vector<uint32_t> owners(size, kFree);
  while (!turns.empty()) {
    Turn turn = turns.top();
    turns.pop();
    uint32_t slot;
    do {
      slot = preferences[turn.index].take(size);
    } while (owners[slot] != kFree);
    owners[slot] = turn.index;
    if (--quota[turn.index] == 0) continue;
    ++turn.taken;
    turn.due = due(turn.index, turn.taken);
    turns.push(turn);
  }
  return owners;
}

}  // namespace k8slbrp
