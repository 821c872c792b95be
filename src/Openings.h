// The table `openings`, in memory that the kernel shares with this process: a system call could only write a
// whole set, and with it over what packets change in it meanwhile.
#pragma once

#include <cstdint>
#include <optional>

#include "datapath/abi.h"

namespace k8slbrp {

// The secret of opening_hash(): the same until the machine starts again, as the maps are.
uint64_t openings_secret();

class Openings {
 public:
  // `fd`: the descriptor of the map, of a cube with so many max-sessions. Throws std::runtime_error.
  Openings(int fd, uint32_t max_sessions);
  ~Openings();
  Openings(const Openings &) = delete;
  Openings &operator=(const Openings &) = delete;

  struct Entry {
    uint8_t proto = 0;
    abi::session session{};
  };

  std::optional<abi::session> find(const abi::client_key &client) const;
  // Removes the client's session if it has this check. Whether it was there.
  bool remove(const abi::client_key &client, uint32_t check) const;
  // Writes the state of a session that is there, and when it was seen.
  void write_state(const abi::client_key &client, const abi::session &session) const;

  // What stands at a place; they are numbered from 0 on, over all sets.
  std::optional<Entry> at(uint32_t place) const {
    return read(sets_[place / OPENING_WAYS], place % OPENING_WAYS);
  }
  uint32_t places() const { return count_ * OPENING_WAYS; }

 private:
  struct Found {
    abi::opening_set *set;
    uint32_t way;
    uint16_t tag;
    abi::session session;
  };

  // None: the way is free, or a packet writes there.
  static std::optional<Entry> read(const abi::opening_set &set, uint32_t way);
  std::optional<Found> look_for(const abi::client_key &client) const;

  const uint32_t count_;
  const uint64_t secret_ = openings_secret();
  abi::opening_set *const sets_;
};

}  // namespace k8slbrp
