#include "Rendezvous.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>

namespace k8slbrp {
namespace {

// Of many backends, only those with the best scores are looked at in a partition: about so many.
constexpr uint64_t kScoresOfPartition = 512;

// The finalizer of SplitMix64: every bit of the input reaches every bit of the output.
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// Logarithms in whole numbers, because floating-point libraries of two nodes may differ in the last digit.
class Logarithm {
 public:
  Logarithm() {
    for (std::size_t i = 0; i <= kSteps; ++i) table_[i] = of_mantissa(((kSteps + i) << 32) / kSteps);
  }

  // -log2(x / 2^32) * 2^32, for x > 0.
  uint64_t minus_log2(uint32_t x) const {
    const int exponent = 31 - __builtin_clz(x);
    const uint64_t mantissa = (uint64_t{x} << (31 - exponent)) & 0x7fffffff;
    const uint64_t step = mantissa >> (31 - kLog2Steps), rest = mantissa & ((1u << (31 - kLog2Steps)) - 1);
    const uint64_t fraction = table_[step] + ((table_[step + 1] - table_[step]) * rest >> (31 - kLog2Steps));
    return (uint64_t(32 - exponent) << 32) - fraction;
  }

 private:
  static constexpr int kLog2Steps = 11;
  static constexpr std::size_t kSteps = 1 << kLog2Steps;

  // log2(x / 2^32) * 2^32, for 1 <= x / 2^32 <= 2: squaring doubles the logarithm, which gives bit after bit.
  static uint64_t of_mantissa(uint64_t x) {
    if (x >> 33) return uint64_t{1} << 32;
    uint64_t result = 0;
    for (int bit = 31; bit >= 0; --bit) {
      x = static_cast<uint64_t>(static_cast<unsigned __int128>(x) * x >> 32);
      if (x >> 33 == 0) continue;
      result |= uint64_t{1} << bit;
      x >>= 1;
    }
    return result;
  }

  std::array<uint64_t, kSteps + 1> table_;
};

uint64_t total_weight(const std::vector<WeightedBackend> &backends) {
  return std::accumulate(backends.begin(), backends.end(), uint64_t{0},
                         [](uint64_t sum, const WeightedBackend &backend) { return sum + backend.weight; });
}

// Shares of `slots` slots by weight, none below one slot: the lightest get one each, the others divide what
// is left by the method of largest remainders.
std::vector<uint32_t> quotas(const std::vector<WeightedBackend> &backends, uint32_t slots) {
  std::vector<std::size_t> order(backends.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return backends[a].weight != backends[b].weight ? backends[a].weight < backends[b].weight
                                                    : backends[a].identity < backends[b].identity;
  });
  uint64_t total = total_weight(backends);
  uint64_t left = slots;
  std::vector<uint32_t> quota(backends.size(), 1);
  auto heavy = order.begin();
  for (; heavy != order.end() && backends[*heavy].weight * left < total; ++heavy) {
    total -= backends[*heavy].weight;
    --left;
  }
  uint64_t rest = left;
  for (auto i = heavy; i != order.end(); ++i) {
    quota[*i] = static_cast<uint32_t>(backends[*i].weight * left / total);
    rest -= quota[*i];
  }
  std::stable_sort(heavy, order.end(), [&](std::size_t a, std::size_t b) {
    return backends[a].weight * left % total > backends[b].weight * left % total;
  });
  for (auto i = heavy; rest > 0; ++i, --rest) ++quota[*i];
  return quota;
}

// Whether no share is off by more than 1% of what it should be.
bool is_precise(const std::vector<WeightedBackend> &backends, uint32_t slots) {
  const auto quota = quotas(backends, slots);
  const uint64_t total = total_weight(backends);
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const uint64_t wanted = uint64_t{backends[i].weight} * slots, given = quota[i] * total;
    if ((wanted > given ? wanted - given : given - wanted) * 100 > wanted) return false;
  }
  return true;
}

// What makes the scores of a backend.
struct Scorer {
  explicit Scorer(const WeightedBackend &backend)
      : seed(backend.identity * 0x9e3779b97f4a7c15ULL), mean((1u << 26) / backend.weight) {}
  uint64_t seed;
  uint32_t mean;  // in 2^-26
};

// A score, the smaller the better, and whose it is in the lowest bits.
using Score = uint64_t;
constexpr int kBackendBits = 16;
static_assert(kLargestTable <= 1 << kBackendBits);

uint32_t backend_of(Score score) { return score & ((1 << kBackendBits) - 1); }

constexpr int kFraction = 42;  // bits of a distance behind the point

// The scores of one partition, the best one first, as far as they are not beyond `limit`.
class Partition {
 public:
  Partition(uint32_t number, const std::vector<Scorer> &scorers, uint64_t limit) {
    static const Logarithm logarithm;
    const uint64_t seed = mix(number + 1);
    scores_.reserve(std::min<std::size_t>(scorers.size(), kScoresOfPartition + kScoresOfPartition / 8));
    for (uint32_t i = 0; i < scorers.size(); ++i) {
      const auto uniform = static_cast<uint32_t>(mix(scorers[i].seed ^ seed) >> 32) | 1;
      const uint64_t at_least = (uint64_t{1} << 32) - uniform;  // of the logarithm
      if (at_least * scorers[i].mean >> 16 > limit) continue;
      // Of exponential distributions, the smallest value is each one's in proportion to 1 / mean.
      const uint64_t distance = logarithm.minus_log2(uniform) * scorers[i].mean >> 16;
      scores_.push_back(distance << kBackendBits | i);
    }
    std::make_heap(scores_.begin(), scores_.end(), std::greater<>());
  }

  bool empty() const { return scores_.empty(); }
  Score best() const { return scores_.front(); }
  void drop_best() {
    std::pop_heap(scores_.begin(), scores_.end(), std::greater<>());
    scores_.pop_back();
  }

 private:
  std::vector<Score> scores_;
};

}  // namespace

uint32_t slots_for(const std::vector<WeightedBackend> &backends) {
  if (backends.size() > kLargestTable / 32) return kLargestTable;
  uint32_t slots = kPartitions;
  while (slots < kLargestTable && (backends.size() > slots || !is_precise(backends, slots)))
    slots += kPartitions;
  return slots;
}

std::vector<uint32_t> assign_slots(const std::vector<WeightedBackend> &backends, uint32_t slots) {
  const uint32_t slots_of_partition = slots / kPartitions;
  const uint64_t limit = (kScoresOfPartition << kFraction) / total_weight(backends);
  auto quota = quotas(backends, slots);
  const std::vector<Scorer> scorers(backends.begin(), backends.end());
  std::vector<Partition> partitions;
  partitions.reserve(kPartitions);
  for (uint32_t number = 0; number < kPartitions; ++number) partitions.emplace_back(number, scorers, limit);
  std::vector<uint32_t> taken(kPartitions);
  std::vector<uint32_t> owners(slots);
  const auto take = [&](uint32_t partition, uint32_t backend) {
    const uint32_t count = std::min(slots_of_partition - taken[partition], quota[backend]);
    std::fill_n(owners.begin() + partition * slots_of_partition + taken[partition], count, backend);
    taken[partition] += count;
    quota[backend] -= count;
  };

  // Partitions that are not full, each with its best score.
  using Turn = std::pair<Score, uint32_t>;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  const auto enqueue = [&](uint32_t partition) {
    if (taken[partition] < slots_of_partition && !partitions[partition].empty())
      turns.emplace(partitions[partition].best(), partition);
  };
  for (uint32_t partition = 0; partition < kPartitions; ++partition) enqueue(partition);
  while (!turns.empty()) {
    const auto [score, partition] = turns.top();
    turns.pop();
    take(partition, backend_of(score));
    partitions[partition].drop_best();
    enqueue(partition);
  }

  // What nobody has taken who was looked at goes to those who have not got their share.
  uint32_t next = 0;
  for (uint32_t partition = 0; partition < kPartitions; ++partition)
    while (taken[partition] < slots_of_partition) {
      while (quota[next] == 0) ++next;
      take(partition, next);
    }
  return owners;
}

}  // namespace k8slbrp
