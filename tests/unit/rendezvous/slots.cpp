// Rendezvous hashing for Python: weights and identities in, owners of the slots out.
#include "Rendezvous.h"

namespace {

std::vector<k8slbrp::WeightedBackend> backends(const uint64_t *identities, const uint32_t *weights, std::size_t count) {
  std::vector<k8slbrp::WeightedBackend> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back({identities[i], weights[i]});
  return all;
}

}  // namespace

extern "C" uint32_t slots_for(const uint64_t *identities, const uint32_t *weights, std::size_t count) {
  return k8slbrp::slots_for(backends(identities, weights, count));
}

extern "C" void assign(const uint64_t *identities, const uint32_t *weights, std::size_t count, uint32_t size,
                       uint32_t *owners) {
  const auto slots = k8slbrp::assign_slots(backends(identities, weights, count), size);
  for (uint32_t s = 0; s < size; ++s) owners[s] = slots[s];
}
