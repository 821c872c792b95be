// Weighted rendezvous hashing with exact shares: which backend owns which slot of a service.
//
// A table has kPartitions partitions. In each of them every backend has a score, by its identity, the
// partition and its weight alone (D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit
// rates", 1998). Scores are served from the best to the worst: a backend takes of a partition what is left of
// it, up to its own share. So the choice is a function of the set of backends and weights alone; whoever
// comes or goes takes or leaves its share, and little else moves. More slots for each partition make shares
// finer and move nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace k8slbrp {

constexpr uint32_t kPartitions = 1024;
constexpr uint32_t kLargestTable = 64 * kPartitions;

struct WeightedBackend {
  uint64_t identity;  // distinct among the backends, which are in its order
  uint32_t weight;    // > 0
};

// The number of slots for these backends: the smallest multiple of kPartitions, up to kLargestTable, with
// which all shares are within 1% of what the weights say.
uint32_t slots_for(const std::vector<WeightedBackend> &backends);

// Returns for each slot the index of its owner in `backends`. `slots` is a multiple of kPartitions, and there
// are at most as many backends.
std::vector<uint32_t> assign_slots(const std::vector<WeightedBackend> &backends, uint32_t slots);

}  // namespace k8slbrp
