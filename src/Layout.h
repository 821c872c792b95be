// A service as the datapath reads it: its entry in the map `services`, and its chunks if it needs any.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "Rendezvous.h"
#include "Service.h"
#include "datapath/abi.h"

namespace k8slbrp {

// More could not be told apart by an index of 16 bits, and found in two buckets.
constexpr std::size_t kMaxBackendsOfService = 32768;

// As many buckets as an index leads to, and the finest shares.
constexpr uint32_t kMaxChunksOfService = (1 << 16) / BACKENDS_PER_CHUNK + kLargestTable * 2 / CHUNK_BYTES;

abi::service_key kernel_key(const ServiceId &id);
ServiceId id_of(const abi::service_key &key);

struct Layout {
  // Without what number() writes.
  abi::service entry{};
  std::vector<abi::chunk> chunks;

  // Follows from the arguments alone. Throws bad_value when there are too many backends, or too many of them
  // have the same hash.
  Layout(const ServiceId &id, const Service &service);

  // Backends count by these numbers, which are by address; others by NO_COUNTER.
  void count_by(const std::map<uint32_t, uint16_t> &counters);

  // What differs between layouts of the same content: makes it the version `version`, with its chunks from
  // `first_chunk` on and this set of source ranges. Writes the checks, so this comes last.
  void number(const ServiceId &id, uint32_t version, uint32_t first_chunk, uint8_t sources);

 private:
  uint32_t first_of_backends() const;  // among the chunks
  template <class Call>
  void for_each_backend(Call call);
};

// How many chunks an entry of `services` leads to; how many it would for this service, which takes a fraction
// of the time that its Layout takes. Throws like that.
uint32_t chunks_of(const abi::service_head &head);
uint32_t chunks_for(const ServiceId &id, const Service &service);

}  // namespace k8slbrp
