#include "SessionSearch.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <optional>

#include "Ipv4.h"
#include "SessionMaps.h"

namespace k8slbrp {
namespace {

constexpr uint32_t kDefaultLimit = 100;
constexpr uint32_t kMaxLimit = 1000;

// What one entry of the walk is compared with; the actions' inputs are of different types.
class Selection {
 public:
  template <class Input>
  explicit Selection(const Input &input)
      : client_port_(input.client_port),
        vport_(input.vport),
        backend_port_(input.backend_port),
        idle_min_(input.idle_min.value_or(0)),
        idle_max_(input.idle_max.value_or(UINT32_MAX)) {
    if (input.client) client_ = parse_ipv4("client", *input.client);
    if (input.vip) vip_ = parse_ipv4("vip", *input.vip);
    if (input.backend) backend_ = parse_ipv4("backend", *input.backend);
    if (input.proto) proto_ = number_of(to_string(*input.proto));
    if (input.state) state_ = static_cast<uint8_t>(*input.state);
  }

  template <class Input>
  static bool is_made(const Input &input) {
    return input.client || input.vip || input.backend || input.client_port || input.vport ||
           input.backend_port || input.proto || input.state || input.idle_min || input.idle_max;
  }

  bool fits(const SessionEntry &entry, const SessionClock &clock) const {
    const auto &session = entry.session;
    return equal(client_, session.front.client) && equal(vip_, session.front.server) &&
           equal(backend_, session.back.server) && equal(client_port_, ntohs(session.front.client_port)) &&
           equal(vport_, ntohs(session.front.server_port)) &&
           equal(backend_port_, ntohs(session.back.server_port)) && equal(proto_, entry.proto) &&
           fits_in_time(entry, clock);
  }

 private:
  template <class T>
  static bool equal(const std::optional<T> &wanted, T found) {
    return !wanted || *wanted == found;
  }

  static uint8_t number_of(const std::string &proto) {
    if (proto == "tcp") return IPPROTO_TCP;
    return proto == "udp" ? IPPROTO_UDP : IPPROTO_ICMP;
  }

  bool fits_in_time(const SessionEntry &entry, const SessionClock &clock) const {
    if (state_ && *state_ != std::min<uint8_t>(entry.session.state, abi::SESSION_RESET)) return false;
    const uint32_t idle = clock.idle(entry.session);
    return idle >= idle_min_ && idle <= idle_max_ && clock.remaining(entry) > 0;
  }

  std::optional<uint32_t> client_, vip_, backend_;
  std::optional<uint16_t> client_port_, vport_, backend_port_;
  std::optional<uint8_t> proto_, state_;
  uint32_t idle_min_, idle_max_;
};

// Where a page ends: the position of the walk, and how many of its entries have been looked at.
struct Mark {
  WalkPosition position;
  uint32_t skip = 0;

  std::string text() const {
    return std::to_string(position.map) + "." + (position.bucket ? std::to_string(*position.bucket) : "-") +
           "." + std::to_string(skip);
  }

  static Mark from(const std::string &text) {
    Mark mark;
    const char *at = text.data(), *end = at + text.size();
    const auto number = [&](uint32_t &value) {
      const auto [rest, error] = std::from_chars(at, end, value);
      const bool good = error == std::errc{};
      at = rest;
      return good;
    };
    const auto dot = [&] { return at != end && *at++ == '.'; };
    bool good = number(mark.position.map) && dot();
    if (good && at != end && *at == '-') {
      ++at;
    } else if (good) {
      good = number(mark.position.bucket.emplace());
    }
    good = good && dot() && number(mark.skip) && at == end && mark.position.map < kSessionMaps.size();
    if (!good) throw bad_value("after: " + text + " is not the next of a page");
    return mark;
  }
};

std::string protocol_text(uint8_t proto) {
  if (proto == IPPROTO_TCP) return "tcp";
  return proto == IPPROTO_UDP ? "udp" : "icmp";
}

std::string state_text(uint8_t state) {
  return to_string(static_cast<SessionsFindState>(std::min<uint8_t>(state, abi::SESSION_RESET)));
}

nlohmann::json shown(const SessionEntry &entry, const SessionClock &clock) {
  const auto &[front, back] = std::pair(entry.session.front, entry.session.back);
  nlohmann::json json;
  json["proto"] = protocol_text(entry.proto);
  json["client"] = format_ipv4(front.client);
  json["client-port"] = ntohs(front.client_port);
  json["vip"] = format_ipv4(front.server);
  json["vport"] = ntohs(front.server_port);
  json["backend"] = format_ipv4(back.server);
  json["backend-port"] = ntohs(back.server_port);
  if (back.client != front.client) json["seen-as"] = format_ipv4(back.client);
  if (back.client_port != front.client_port) json["seen-as-port"] = ntohs(back.client_port);
  json["state"] = state_text(entry.session.state);
  json["idle"] = clock.idle(entry.session);
  json["expires"] = clock.remaining(entry);
  return json;
}

}  // namespace

nlohmann::json find_sessions(polycube::service::BaseCube &cube, const Openings &openings,
                             const SessionsFindInput &input) {
  const Selection selection(input);
  const uint32_t limit = input.limit.value_or(kDefaultLimit);
  if (limit == 0 || limit > kMaxLimit)
    throw bad_value("limit: " + std::to_string(limit) + " is out of range, allowed 1.." +
                    std::to_string(kMaxLimit));
  Mark mark = input.after ? Mark::from(*input.after) : Mark{};
  SessionClock clock(cube);
  nlohmann::json found = nlohmann::json::array();
  nlohmann::json answer;
  for (SessionWalk walk(cube, openings, mark.position); walk.next();) {
    const auto &entries = walk.entries();
    for (uint32_t i = walk.position() == mark.position ? mark.skip : 0; i < entries.size(); ++i) {
      clock.at_least(entries[i].session.last_seen);
      if (!entries[i].counts() || !selection.fits(entries[i], clock)) continue;
      if (found.size() == limit) {
        answer["session"] = std::move(found);
        answer["next"] = Mark{walk.position(), i}.text();
        return answer;
      }
      found.push_back(shown(entries[i], clock));
    }
  }
  answer["session"] = std::move(found);
  return answer;
}

namespace {

// Others have nobody who could be told, or are over anyway.
bool can_be_reset(const SessionEntry &entry) {
  const auto state = entry.session.state;
  return entry.proto == IPPROTO_TCP && state != abi::SESSION_OPENING && state != abi::SESSION_CLOSED;
}

}  // namespace

nlohmann::json end_sessions(polycube::service::BaseCube &cube, const Openings &openings, Evictions &evictions,
                            const SessionsEndInput &input) {
  if (!Selection::is_made(input))
    throw bad_value(
        "end: nothing is chosen, give client, vip, backend, proto, ..., or idle-min=0 for all sessions");
  const Selection selection(input);
  const bool reset = input.reset.value_or(false);
  SessionClock clock(cube);
  uint32_t ended = 0;
  for (SessionWalk walk(cube, openings); walk.next();)
    evictions.while_removing([&](auto &removed) {
      SessionMaps maps(cube, openings);
      for (const auto &entry : walk.entries()) {
        clock.at_least(entry.session.last_seen);
        if (!selection.fits(entry, clock)) continue;
        // A packet may have renewed it since the walk has read it, or it was ended by its other entry.
        const auto current = maps.current(entry);
        if (!current) continue;
        clock.at_least(current->session.last_seen);
        if (!selection.fits(*current, clock)) continue;
        if (reset && can_be_reset(*current))
          maps.mark(entry, clock.now());
        else
          removed += maps.remove(entry);
        if (current->counts()) ++ended;
      }
    });
  nlohmann::json answer;
  answer["ended"] = ended;
  return answer;
}

}  // namespace k8slbrp
