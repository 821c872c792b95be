#include "KernelClock.h"

#include <cmath>
#include <ctime>

namespace k8slbrp {
namespace {

constexpr uint64_t kNanoseconds = 1'000'000'000;

uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNanoseconds + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

// The coarse clocks move once a jiffy, and say so.
long kernel_hz() {
  timespec resolution{};
  if (clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) != 0 || resolution.tv_nsec == 0) return 0;
  return std::lround(1e9 / static_cast<double>(resolution.tv_nsec));
}

// See current_tick() in datapath/support.h. The kernel's jiffies begin five minutes before they overflow.
uint32_t current_tick() {
  const auto hz = static_cast<uint64_t>(kernel_hz());
  const uint64_t ns = monotonic_ns();
  if (hz == 0) return static_cast<uint32_t>(ns >> 30);
  const uint64_t since_start = ns / kNanoseconds * hz + ns % kNanoseconds * hz / kNanoseconds;
  const uint64_t jiffies = static_cast<uint32_t>(-300 * static_cast<int64_t>(hz)) + since_start;
  return static_cast<uint32_t>(jiffies * ((1 << 20) / hz) >> 20);
}

}  // namespace k8slbrp
