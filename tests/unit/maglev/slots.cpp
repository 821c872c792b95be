// Maglev for Python: weights and identities in, owners of the slots out.
#include "Maglev.h"

extern "C" uint32_t slots_for(std::size_t backends) { return k8slbrp::table_size(backends); }

extern "C" void assign(const uint64_t *identities, const uint32_t *weights, std::size_t count, uint32_t size,
                       uint32_t *owners) {
  std::vector<k8slbrp::Candidate> candidates;
  for (std::size_t i = 0; i < count; ++i) candidates.push_back({identities[i], weights[i]});
  const auto slots = k8slbrp::assign_slots(candidates, size);
  for (uint32_t s = 0; s < size; ++s) owners[s] = slots[s];
}
