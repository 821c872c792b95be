// The entries of sessions in the kernel: found as the datapath finds them, removed, or marked as ended.
#pragma once

#include <optional>

#include "Openings.h"
#include "SessionWalk.h"
#include "Tables.h"

namespace k8slbrp {

class SessionMaps {
 public:
  SessionMaps(const Maps &maps, const Openings &openings)
      : openings_(openings), flows_(maps, "flows"), clients_(maps, "clients") {}

  // What the session is by now; of its entries the one that counts. None: it has gone.
  std::optional<SessionEntry> current(const SessionEntry &entry);

  // All entries of the session. What has come into their places since the walk saw it stays. Returns how many
  // there were.
  EntryCounts remove(const SessionEntry &entry);
  // The same for those that no packet has touched since.
  EntryCounts remove_if_unseen(const SessionEntry &entry);

  // Lets the packets of a TCP session be answered with resets from now on.
  void mark(const SessionEntry &entry, uint32_t now);

  // The session of a packet, and whether its client has sent it.
  struct Found {
    abi::session session{};
    bool from_client = false;
  };
  std::optional<Found> find(const abi::flow_key &packet);

 private:
  template <class Visit>
  void for_each_entry(const SessionEntry &entry, Visit visit);

  const Openings &openings_;
  HashMap<abi::flow_key, abi::session> flows_;
  HashMap<abi::client_key, abi::session> clients_;
};

}  // namespace k8slbrp
