#include "Resets.h"

#include <netinet/in.h>
#include <tins/tins.h>

#include <algorithm>

#include "SessionMaps.h"

namespace k8slbrp {
namespace {

using Tins::EthernetII;

// Where the packet would have left: egress_port() of the datapath.
std::shared_ptr<Ports> exit_of(polycube::service::BaseCube &cube, const SlowPathView &view,
                               const abi::port &in, const abi::session &session, uint32_t destination) {
  PortMaps maps(cube);
  const auto with_index = [&](int index) -> std::shared_ptr<Ports> {
    if (view.backend && view.backend->index() == index) return view.backend;
    const auto found = std::find_if(view.frontends.begin(), view.frontends.end(),
                                    [&](const auto &port) { return port->index() == index; });
    return found == view.frontends.end() ? nullptr : *found;
  };
  if (in.side == abi::SIDE_FRONTEND) return with_index(in.out);
  const auto port = maps.ports.get(session.port % MAX_PORTS);
  if (port.side == abi::SIDE_FRONTEND && port.generation == session.port_generation)
    return with_index(session.port);
  return with_index(in.multi ? maps.frontends.find(destination).value_or(NO_PORT) : in.out);
}

// What every TCP has to answer with what it expects next: a segment from long before, with nothing in it (RFC
// 9293, section 3.10.7.4).
Tins::TCP question(const Tins::TCP &tcp) {
  constexpr uint32_t kLongBefore = 1U << 30;
  Tins::TCP question;
  question.flags(Tins::TCP::ACK);
  question.seq(tcp.seq() - kLongBefore);
  question.ack_seq(tcp.ack_seq());
  // Who has agreed on timestamps may ignore what has none (RFC 7323, section 3.2).
  if (const auto *timestamp = tcp.search_option(Tins::TCP::TSOPT)) question.add_option(*timestamp);
  return question;
}

// An RST as its sender has meant it.
Tins::TCP repeated(const Tins::TCP &tcp) {
  Tins::TCP reset;
  reset.flags(tcp.flags());
  reset.seq(tcp.seq());
  reset.ack_seq(tcp.ack_seq());
  return reset;
}

}  // namespace

void tell_other_end(polycube::service::BaseCube &cube, const Openings &openings, const SlowPathView &view,
                    const Ports &in, const std::vector<uint8_t> &packet) {
  EthernetII frame(packet.data(), static_cast<uint32_t>(packet.size()));
  auto *ip = frame.find_pdu<Tins::IP>();
  const auto *tcp = frame.find_pdu<Tins::TCP>();
  if (!ip || !tcp) return;
  const auto port = PortMaps(cube).ports.get(in.index());
  const auto found = SessionMaps(cube, openings)
                         .find({ip->src_addr(), ip->dst_addr(), htons(tcp->sport()), htons(tcp->dport()),
                                IPPROTO_TCP, port.side, 0});
  if (!found || found->session.state != abi::SESSION_ENDED) return;

  const auto &[front, back] = std::pair(found->session.front, found->session.back);
  auto told = tcp->get_flag(Tins::TCP::RST) ? repeated(*tcp) : question(*tcp);
  told.sport(ntohs(found->from_client ? back.client_port : front.server_port));
  told.dport(ntohs(found->from_client ? back.server_port : front.client_port));
  ip->src_addr(Tins::IPv4Address(found->from_client ? back.client : front.server));
  ip->dst_addr(Tins::IPv4Address(found->from_client ? back.server : front.client));
  ip->inner_pdu(told);
  if (const auto out = exit_of(cube, view, port, found->session, ip->dst_addr())) out->send_packet_out(frame);
}

}  // namespace k8slbrp
