// Weighted Maglev hashing: which backend owns which slot of a service's table.
//
// After D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, with
// shares by weight. The table is a function of its size and the set of backends alone: every node and every
// restart computes the same one, and a change of one backend leaves nearly all slots of the others as they
// are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace k8slbrp {

constexpr uint32_t kLargestTable = 65537;

struct Candidate {
  uint64_t identity;  // distinct among the candidates; decides which slots are preferred
  uint32_t weight;    // > 0
};

// Number of slots for these candidates: 0, 1, or a prime that gives the lightest of them a hundred slots if
// there is one, so that no share is off by more than 1%. There are few sizes, because going from one to
// another moves most slots.
uint32_t table_size(const std::vector<Candidate> &candidates);

// Returns for each slot the index of its owner in `candidates`, of which there are at most as many as slots,
// and whose order does not matter to the result.
std::vector<uint32_t> assign_slots(const std::vector<Candidate> &candidates, uint32_t size);

}  // namespace k8slbrp
