// The time as the datapath tells it.
#pragma once

#include <cstdint>

namespace k8slbrp {

// Jiffies per second; 0 when they are not known.
long kernel_hz();

// The datapath's tick, about a second, give or take one.
uint32_t current_tick();

}  // namespace k8slbrp
