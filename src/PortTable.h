// The ports of a cube: those of the host, their roles in the datapath, and what the slow path sees of them.
#pragma once

#include <polycube/services/cube.h>

#include <memory>
#include <string>
#include <vector>

#include "PortRules.h"
#include "Ports.h"
#include "SlowPath.h"
#include "Tables.h"

namespace k8slbrp {

// Not thread-safe, but for view(): the cube's configuration lock protects it.
class PortTable {
 public:
  using Cube = polycube::service::Cube<Ports>;

  PortTable(Cube &cube, PortMode mode) : cube_(cube), mode_(mode), view_(std::make_shared<SlowPathView>()) {}

  // Asks the host for the peer of each, which takes long when there are many.
  PortSet current() const;

  // Makes `wanted` the ports. Those that stay are the same ports afterwards. At no time a packet finds a port
  // in the role of another one: a port gets its role before its peer, and loses it before somebody else gets
  // its index. Throws bad_value, with nothing changed, if the host refuses a peer.
  void apply(const PortSet &wanted);

  // Clients in these ranges appear under other addresses.
  void set_rewrite(const abi::src_ip_rewrite &rewrite);

  // What the slow path works with; from any thread.
  std::shared_ptr<const SlowPathView> view() const { return std::atomic_load(&view_); }

 private:
  struct Roles;

  static PortSet those_that_stay(const PortSet &before, const PortSet &wanted);
  void make_room(PortSet &before, const PortSet &staying);
  void add_missing(const PortSet &before, const PortSet &wanted);
  std::shared_ptr<Ports> add(const std::string &name, const PortState &state);
  static void continue_sessions(PortMaps &maps, Ports &port);
  void switch_to(const PortSet &before, const PortSet &wanted);
  void set_peers(const PortSet &before, const PortSet &wanted);
  Roles roles_of(const PortSet &wanted) const;
  void publish(const Roles &roles);
  void publish_view(const PortSet &wanted);
  void remove(const std::string &name) noexcept;
  void put_back(const PortSet &before);
  void go_back(const PortSet &before) noexcept;
  template <class Call>
  void insist(const char *what, Call call) noexcept;

  Cube &cube_;
  const PortMode mode_;
  abi::src_ip_rewrite rewrite_{};
  std::shared_ptr<const SlowPathView> view_;  // only through std::atomic_load and std::atomic_store
};

}  // namespace k8slbrp
