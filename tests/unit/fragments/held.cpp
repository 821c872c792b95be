// Held fragments for Python: datagrams by source and identification, packets by their size, time in seconds.
#include "HeldFragments.h"

using k8slbrp::HeldFragments;

namespace {

HeldFragments::Datagram datagram(uint32_t source, uint32_t identification) {
  return {source, 1, identification};
}

HeldFragments::Clock::time_point at(uint32_t second) {
  return HeldFragments::Clock::time_point(std::chrono::seconds(second));
}

}  // namespace

extern "C" {

void *create() { return new HeldFragments; }
void destroy(void *held) { delete static_cast<HeldFragments *>(held); }

// Returns the size of the packet that goes on at once, 0 when none does.
uint32_t hold(void *held, uint32_t source, uint32_t identification, uint32_t bytes, uint32_t second) {
  const auto packet = static_cast<HeldFragments *>(held)->hold(datagram(source, identification),
                                                               HeldFragments::Packet(bytes, 7), at(second));
  return packet ? static_cast<uint32_t>(packet->size()) : 0;
}

// Returns the number of packets let go.
uint32_t release(void *held, uint32_t source, uint32_t identification, uint32_t second) {
  return static_cast<uint32_t>(
      static_cast<HeldFragments *>(held)->release(datagram(source, identification), at(second)).size());
}
}
