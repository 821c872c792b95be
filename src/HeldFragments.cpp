#include "HeldFragments.h"

#include <algorithm>

namespace k8slbrp {

std::optional<HeldFragments::Packet> HeldFragments::hold(const Datagram &datagram, const Packet &packet,
                                                         Clock::time_point now) {
  forget_old(now);
  const auto released = [&](const Held &held) { return held.datagram == datagram && held.packet.empty(); };
  if (std::any_of(held_.begin(), held_.end(), released)) return packet;
  const uint32_t source = datagram[0];
  const auto of_source = bytes_of_source_.find(source);
  const std::size_t bytes = of_source == bytes_of_source_.end() ? 0 : of_source->second;
  const bool fits = held_.size() < kMaxPackets && bytes_ + packet.size() <= kMaxBytes &&
                    bytes + packet.size() <= kMaxBytesOfSource;
  if (!fits || packet.empty()) return std::nullopt;
  held_.push_back({datagram, now, packet});
  bytes_of_source_[source] += packet.size();
  bytes_ += packet.size();
  return std::nullopt;
}

std::vector<HeldFragments::Packet> HeldFragments::release(const Datagram &datagram, Clock::time_point now) {
  forget_old(now);
  std::vector<Packet> packets;
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->datagram != datagram) {
      ++held;
      continue;
    }
    if (!held->packet.empty()) packets.push_back(held->packet);
    held = remove(held);
  }
  if (held_.size() < kMaxPackets) held_.push_back({datagram, now, {}});
  return packets;
}

void HeldFragments::forget_old(Clock::time_point now) {
  while (!held_.empty() && now - held_.front().since > kMaxAge) remove(held_.begin());
}

std::list<HeldFragments::Held>::iterator HeldFragments::remove(std::list<Held>::iterator held) {
  bytes_ -= held->packet.size();
  const auto of_source = bytes_of_source_.find(held->datagram[0]);
  if (of_source != bytes_of_source_.end() && (of_source->second -= held->packet.size()) == 0)
    bytes_of_source_.erase(of_source);
  return held_.erase(held);
}

}  // namespace k8slbrp
