#include "PortTable.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "Tables.h"
#include "config.h"

namespace k8slbrp {
namespace {

// Returns when all packets that were under way are through: programs run in read-side sections of the
// kernel's RCU, whose end this system call waits for, some 20 ms. Where the kernel has it not, they are given
// that time.
void wait_for_packets() {
  constexpr std::chrono::milliseconds kUsual{20};
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) std::this_thread::sleep_for(kUsual);
}

uint8_t side_of(PortsType type) {
  return type == PortsType::Backend ? abi::SIDE_BACKEND : abi::SIDE_FRONTEND;
}

}  // namespace

// What the datapath knows of ports.
struct PortTable::Roles {
  std::array<abi::port, MAX_PORTS> ports{};
  std::map<uint32_t, uint16_t> frontends;  // by address
};

PortSet PortTable::current() const {
  PortSet ports;
  for (const auto &port : cube_.get_ports()) ports.emplace(port->name(), port->state());
  return ports;
}

void PortTable::apply(const PortSet &wanted) {
  check_peers(cube_.get_name(), wanted);
  PortSet before = current();
  const PortSet staying = those_that_stay(before, wanted);
  try {
    make_room(before, staying);
    add_missing(staying, wanted);
    switch_to(staying, wanted);
  } catch (const std::runtime_error &refusal) {
    go_back(before);  // at once: a copy of the text needs memory
    // What the host refuses about a port is for the client to correct: a peer that is in use, for example.
    throw bad_value(refusal.what());
  } catch (...) {
    go_back(before);
    throw;
  }
  for (const auto &[name, _] : staying)
    if (wanted.count(name) == 0) remove(name);
}

// New ports are added before others leave, so that these are still there if something is refused. Where there
// are not that many indexes, some have to leave first, and come back if something is refused.
PortSet PortTable::those_that_stay(const PortSet &before, const PortSet &wanted) {
  const auto added = static_cast<std::size_t>(std::count_if(
      wanted.begin(), wanted.end(), [&](const auto &port) { return before.count(port.first) == 0; }));
  PortSet staying = before;
  for (const auto &[name, _] : before) {
    if (staying.size() + added <= MAX_PORTS) break;
    if (wanted.count(name) == 0) staying.erase(name);
  }
  return staying;
}

// Notes in `before` what those that leave are made from when they have to come back.
void PortTable::make_room(PortSet &before, const PortSet &staying) {
  if (staying.size() == before.size()) return;
  for (const auto &port : cube_.get_ports())
    if (staying.count(port->name()) == 0) before.at(port->name()).base = port->to_json();
  publish_view(staying);
  publish(roles_of(staying));
  for (const auto &[name, _] : before)
    if (staying.count(name) == 0) remove(name);
}

// Without their peers.
void PortTable::add_missing(const PortSet &before, const PortSet &wanted) {
  PortMaps maps(cube_);
  for (const auto &[name, state] : wanted)
    if (before.count(name) == 0) continue_sessions(maps, *add(name, state));
}

std::shared_ptr<Ports> PortTable::add(const std::string &name, const PortState &state) {
  PortState unconnected = state;
  unconnected.base.erase("peer");
  return cube_.add_port<PortState>(name, unconnected);
}

// The datapath has gone on while there was no process. A port that comes back to the index, the side and the
// address that it had then is the same port, and has the same sessions. Those that go while there is a
// process leave an empty entry.
void PortTable::continue_sessions(PortMaps &maps, Ports &port) {
  const auto index = static_cast<uint16_t>(port.index());
  const auto left = maps.ports.get(index);
  if (left.side != side_of(port.type())) return;
  if (port.ip() == 0 || maps.frontends.find(port.ip()) == index) port.continue_as(left.generation);
}

// All ports of `wanted` exist; those that do not belong to it lose their role and their peer.
void PortTable::switch_to(const PortSet &before, const PortSet &wanted) {
  for (const auto &port : cube_.get_ports())
    if (const auto found = wanted.find(port->name()); found != wanted.end()) port->set_role(found->second);
  publish_view(wanted);
  publish(roles_of(wanted));
  set_peers(before, wanted);
}

// Those that change or go let go of their peers first: somebody else may want them.
void PortTable::set_peers(const PortSet &before, const PortSet &wanted) {
  const auto ports = cube_.get_ports();
  const auto peer = [](const PortSet &in, const std::string &name) {
    const auto found = in.find(name);
    return found == in.end() ? std::string() : found->second.peer;
  };
  const auto changes = [&](const std::string &name) { return peer(before, name) != peer(wanted, name); };
  for (const auto &port : ports)
    if (!peer(before, port->name()).empty() && changes(port->name())) port->set_peer("");
  for (const auto &port : ports) {
    const auto found = wanted.find(port->name());
    if (found == wanted.end()) continue;
    if (found->second.connect || (changes(port->name()) && !found->second.peer.empty()))
      port->set_peer(found->second.peer);
  }
}

PortTable::Roles PortTable::roles_of(const PortSet &wanted) const {
  Roles roles;
  const bool multi = mode_ == PortMode::Multi;
  uint16_t backend = NO_PORT, frontend = NO_PORT;
  const auto ports = cube_.get_ports();
  for (const auto &port : ports) {
    const auto found = wanted.find(port->name());
    if (found == wanted.end()) continue;
    const auto index = static_cast<uint16_t>(port->index());
    (found->second.type == PortsType::Backend ? backend : frontend) = index;
    if (multi && found->second.type == PortsType::Frontend) roles.frontends.emplace(found->second.ip, index);
  }
  for (const auto &port : ports) {
    const auto found = wanted.find(port->name());
    if (found == wanted.end()) continue;
    abi::port &entry = roles.ports.at(static_cast<std::size_t>(port->index()));
    entry.side = side_of(found->second.type);
    entry.multi = multi;
    entry.out = entry.side == abi::SIDE_FRONTEND ? backend : multi ? NO_PORT : frontend;
    entry.generation = port->generation();
  }
  return roles;
}

// Roles end before others begin, and nobody gets one while a packet under way may still act on those that
// ended: it would leave by an index that is another port's now. A port that only gets another way out stays
// the same port for its sessions, also if this process ends in between.
void PortTable::publish(const Roles &roles) {
  PortMaps maps(cube_);
  bool ended = false;
  for (uint32_t index = 0; index < MAX_PORTS; ++index) {
    const auto old = maps.ports.get(index);
    const auto &wanted = roles.ports[index];
    const bool stays = old.side == wanted.side && old.generation == wanted.generation;
    if (old.side == abi::SIDE_NONE || (stays && old.out == wanted.out)) continue;
    maps.ports.set(index, stays ? abi::port{old.side, old.multi, NO_PORT, old.generation} : abi::port{});
    ended = true;
  }
  auto missing = roles.frontends;
  for (const auto &[ip, index] : maps.frontends.get_all()) {
    const auto found = missing.find(ip);
    if (found != missing.end() && found->second == index) {
      missing.erase(found);  // writing it again could hide it from a packet, as with services
      continue;
    }
    maps.frontends.remove(ip);
    ended = true;
  }
  if (ended) wait_for_packets();
  for (const auto &[ip, index] : missing) maps.frontends.set(ip, index);
  for (uint32_t index = 0; index < MAX_PORTS; ++index) maps.ports.set(index, roles.ports[index]);
}

// The slow path must let go of a port before it is removed, so it sees only those that stay.
void PortTable::publish_view(const PortSet &wanted) {
  auto view = std::make_shared<SlowPathView>();
  for (const auto &port : cube_.get_ports()) {
    const auto found = wanted.find(port->name());
    if (found == wanted.end()) continue;
    if (found->second.type == PortsType::Backend)
      view->backend = port;
    else
      view->frontends.push_back(port);
  }
  view->rewrite = rewrite_;
  std::atomic_store(&view_, std::shared_ptr<const SlowPathView>(std::move(view)));
}

void PortTable::set_rewrite(const abi::src_ip_rewrite &rewrite) {
  auto view = std::make_shared<SlowPathView>(*this->view());
  view->rewrite = rewrite;
  cube_.get_array_table<abi::src_ip_rewrite>("src_ip_rewrite").set(0, rewrite);
  rewrite_ = rewrite;
  std::atomic_store(&view_, std::shared_ptr<const SlowPathView>(std::move(view)));
}

// What has no way back is tried twice: memory, for example, may be there again.
template <class Call>
void PortTable::insist(const char *what, Call call) noexcept {
  for (int attempts = 2; attempts > 0; --attempts) try {
      return call();
    } catch (const std::exception &failure) {
      cube_.logger()->error("cannot {}: {}", what, failure.what());
    }
}

void PortTable::remove(const std::string &name) noexcept {
  insist("remove a port", [&] { cube_.remove_port(name); });
}

// The host gives the lowest free index: in the order of their indexes, each gets its own again.
void PortTable::put_back(const PortSet &before) {
  const PortSet there = current();
  std::map<int, std::string> missing;
  for (const auto &[name, state] : before)
    if (there.count(name) == 0) missing.emplace(state.index, name);
  if (missing.empty()) return;
  for (const auto &port : missing)
    insist("put a port back that has made room", [&] { add(port.second, before.at(port.second)); });
  switch_to(there, before);
}

void PortTable::go_back(const PortSet &before) noexcept {
  insist("undo a change of ports that was refused", [&] { switch_to(current(), before); });
  insist("remove ports that were refused", [&] {
    for (const auto &port : cube_.get_ports())
      if (before.count(port->name()) == 0) remove(port->name());
  });
  insist("put ports back that have made room", [&] { put_back(before); });
}

}  // namespace k8slbrp
