#include "SessionMaps.h"

namespace k8slbrp {
namespace {

abi::flow_key flow_of_request(const SessionEntry &entry) {
  const auto &front = entry.session.front;
  return {
      front.client, front.server, front.client_port, front.server_port, entry.proto, abi::SIDE_FRONTEND, 0};
}

abi::flow_key flow_of_answer(const SessionEntry &entry) {
  const auto &[front, back] = std::pair(entry.session.front, entry.session.back);
  const auto side = front.client == back.server ? abi::SIDE_FRONTEND : abi::SIDE_BACKEND;
  return {back.server,
          back.client,
          back.server_port,
          back.client_port,
          entry.proto,
          static_cast<uint8_t>(side),
          0};
}

bool remove_from(const Openings &openings, const abi::client_key &client, const abi::session &session) {
  return openings.remove(client, session.check);
}

template <class Map, class Key>
bool remove_from(Map &map, const Key &key, const abi::session &) {
  return map.remove(key);
}

void write_to(const Openings &openings, const abi::client_key &client, const abi::session &session) {
  openings.write_state(client, session);
}

template <class Map, class Key>
void write_to(Map &map, const Key &key, const abi::session &session) {
  map.set(key, session);
}

// Whether the packet is of the session, sent by its client or by its server.
bool matches(const abi::session &session, const abi::flow_key &packet, bool from_client) {
  const auto &flow = from_client ? session.front : session.back;
  const auto sent_by = [&](uint32_t source, uint16_t sport, uint32_t destination, uint16_t dport) {
    return packet.saddr == source && packet.sport == sport && packet.daddr == destination &&
           packet.dport == dport;
  };
  return from_client ? sent_by(flow.client, flow.client_port, flow.server, flow.server_port)
                     : sent_by(flow.server, flow.server_port, flow.client, flow.client_port);
}

}  // namespace

template <class Visit>
void SessionMaps::for_each_entry(const SessionEntry &entry, Visit visit) {
  const auto &[front, back] = std::pair(entry.session.front, entry.session.back);
  const auto visit_if_there = [&](SessionMap name, auto &map, const auto &key) {
    const auto session = map.find(key);
    if (session && session->check == entry.session.check) visit(name, map, key, *session);
  };
  const abi::client_key client{front.client, front.client_port, entry.proto, 0};
  if (entry.map != SessionMap::Clients) visit_if_there(SessionMap::Openings, openings_, client);
  // The datapath may have moved it meanwhile; and one whose answers stand in `flows` has an entry here.
  visit_if_there(SessionMap::Clients, clients_, client);
  const bool sees_client = front.client == back.client && front.client_port == back.client_port;
  if (entry.map != SessionMap::Flows && sees_client) return;
  for (const auto &flow : {flow_of_request(entry), flow_of_answer(entry)})
    visit_if_there(SessionMap::Flows, flows_, flow);
}

std::optional<SessionEntry> SessionMaps::current(const SessionEntry &entry) {
  std::optional<SessionEntry> current;
  for_each_entry(entry, [&](SessionMap name, auto &, const auto &, const abi::session &session) {
    const SessionEntry found{name, entry.proto, session};
    if (!current || found.counts()) current = found;
  });
  return current;
}

EntryCounts SessionMaps::remove(const SessionEntry &entry) {
  EntryCounts removed{};
  const auto remove = [&](SessionMap name, auto &map, const auto &key, const abi::session &session) {
    removed[static_cast<std::size_t>(name)] += remove_from(map, key, session);
  };
  for_each_entry(entry, remove);
  if (removed[static_cast<std::size_t>(SessionMap::Flows)] == 0) return removed;
  // A packet that has found one of the entries meanwhile may have made the other one again. Both together are
  // a session that has begun anew.
  SessionEntry anywhere = entry;
  anywhere.map = SessionMap::Flows;
  uint32_t left = 0;
  for_each_entry(anywhere, [&](auto &&...) { ++left; });
  if (left == 1) for_each_entry(anywhere, remove);
  return removed;
}

EntryCounts SessionMaps::remove_if_unseen(const SessionEntry &entry) {
  EntryCounts removed{};
  for_each_entry(entry, [&](SessionMap name, auto &map, const auto &key, const abi::session &session) {
    if (session.last_seen == entry.session.last_seen)
      removed[static_cast<std::size_t>(name)] += remove_from(map, key, session);
  });
  return removed;
}

void SessionMaps::mark(const SessionEntry &entry, uint32_t now) {
  for_each_entry(entry, [&](SessionMap, auto &map, const auto &key, abi::session session) {
    session.state = abi::SESSION_ENDED;
    session.last_seen = now;
    write_to(map, key, session);
  });
}

std::optional<SessionMaps::Found> SessionMaps::find(const abi::flow_key &packet) {
  const bool is_frontend = packet.side == abi::SIDE_FRONTEND;
  const abi::client_key client = is_frontend ? abi::client_key{packet.saddr, packet.sport, packet.proto, 0}
                                             : abi::client_key{packet.daddr, packet.dport, packet.proto, 0};
  const auto opening = openings_.find(client);  // first, because the datapath moves sessions to `clients`
  if (const auto session = clients_.find(client); session && matches(*session, packet, is_frontend))
    return Found{*session, is_frontend};
  if (const auto session = flows_.find(packet)) {
    const bool from_client = !(session->flags & SESSION_FLAG_FROM_SERVER);
    if (matches(*session, packet, from_client)) return Found{*session, from_client};
  }
  if (opening && matches(*opening, packet, is_frontend)) return Found{*opening, is_frontend};
  return std::nullopt;
}

}  // namespace k8slbrp
