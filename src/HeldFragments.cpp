#include "HeldFragments.h"

#include <algorithm>

namespace k8slbrp {

std::optional<HeldFragments::Packet> HeldFragments::hold(const Datagram &datagram, const Packet &packet,
                                                         Clock::time_point now) {
  forget_old(now);
  const auto released = [&](const Held &held) { return held.datagram == datagram && held.packet.empty(); };
  if (std::any_of(held_.begin(), held_.end(), released)) return packet;
  if (!packet.empty() && make_room(datagram[0], packet.size())) add(datagram, packet, now);
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
  if (make_room(datagram[0], 0)) add(datagram, {}, now);
  return packets;
}

void HeldFragments::forget_old(Clock::time_point now) {
  while (!held_.empty() && now - held_.front().since > kMaxAge) remove(held_.begin());
}

// What has been released needs to be remembered only until packets that were under way have arrived: so it
// makes room for what is new, but of its own source alone.
bool HeldFragments::make_room(uint32_t source, std::size_t bytes) {
  const auto found = shares_.find(source);
  const Share share = found == shares_.end() ? Share{} : found->second;
  if (bytes_ + bytes > kMaxBytes || share.bytes + bytes > kMaxBytesOfSource) return false;
  if (held_.size() < kMaxPackets && share.packets < kMaxPacketsOfSource) return true;
  const auto oldest = std::find_if(held_.begin(), held_.end(), [&](const Held &held) {
    return held.datagram[0] == source && held.packet.empty();
  });
  if (oldest == held_.end()) return false;
  remove(oldest);
  return true;
}

void HeldFragments::add(const Datagram &datagram, const Packet &packet, Clock::time_point now) {
  Share &share = shares_[datagram[0]];  // first: no packet is held without its share
  held_.push_back({datagram, now, packet});
  share.bytes += packet.size();
  ++share.packets;
  bytes_ += packet.size();
}

std::list<HeldFragments::Held>::iterator HeldFragments::remove(std::list<Held>::iterator held) {
  const auto share = shares_.find(held->datagram[0]);
  share->second.bytes -= held->packet.size();
  if (--share->second.packets == 0) shares_.erase(share);
  bytes_ -= held->packet.size();
  return held_.erase(held);
}

}  // namespace k8slbrp
