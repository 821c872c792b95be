// Fragments that came before the first one of their datagram, which alone has the ports. They wait here until
// it comes (RFC 4787, REQ-14), within bounds, so that nobody can fill the memory with fragments (REQ-14a).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

namespace k8slbrp {

// Not thread-safe: the host calls packet_in() of a cube for one packet at a time.
class HeldFragments {
 public:
  using Packet = std::vector<uint8_t>;
  using Clock = std::chrono::steady_clock;
  // What the datapath calls a datagram by: source, destination, and side, protocol and identification.
  using Datagram = std::array<uint32_t, 3>;

  static constexpr std::size_t kMaxBytes = 1 << 20;
  static constexpr std::size_t kMaxBytesOfSource = 1 << 16;  // one datagram of the greatest size
  static constexpr std::size_t kMaxPackets = 1024;
  static constexpr std::size_t kMaxPacketsOfSource = 128;  // one of that size in pieces of 512 bytes
  static constexpr std::chrono::seconds kMaxAge{30};  // as long as the receiver would wait for the first one

  // Keeps a fragment, or drops it where there is no room. Returns it if the first one has been here
  // meanwhile: packets of different CPUs do not arrive in their order.
  std::optional<Packet> hold(const Datagram &datagram, const Packet &packet, Clock::time_point now);

  // The first fragment has come: returns those that have waited for it.
  std::vector<Packet> release(const Datagram &datagram, Clock::time_point now);

 private:
  struct Held {
    Datagram datagram;
    Clock::time_point since;
    Packet packet;  // empty: the first fragment of the datagram has been here
  };

  struct Share {
    std::size_t bytes = 0, packets = 0;
  };

  void forget_old(Clock::time_point now);
  bool make_room(uint32_t source, std::size_t bytes);
  void add(const Datagram &datagram, const Packet &packet, Clock::time_point now);
  std::list<Held>::iterator remove(std::list<Held>::iterator held);

  std::list<Held> held_;              // the oldest first
  std::map<uint32_t, Share> shares_;  // of sources that have something here
  std::size_t bytes_ = 0;
};

}  // namespace k8slbrp
