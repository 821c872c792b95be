#include "SlowPath.h"

#include <arpa/inet.h>
#include <tins/tins.h>

#include <algorithm>
#include <cstring>

#include "Ipv4.h"
#include "Resets.h"

namespace k8slbrp {
namespace {

using Tins::EthernetII;

// The frame as it came, with nothing after the Ethernet header interpreted or recomputed.
EthernetII verbatim(const std::vector<uint8_t> &packet) {
  constexpr std::size_t kHeader = 14;
  if (packet.size() < kHeader) throw Tins::malformed_packet();
  EthernetII frame(EthernetII::address_type(packet.data()), EthernetII::address_type(packet.data() + 6));
  frame.payload_type(static_cast<uint16_t>(packet[12] << 8 | packet[13]));
  frame /= Tins::RawPDU(packet.data() + kHeader, static_cast<uint32_t>(packet.size() - kHeader));
  return frame;
}

void flood(const SlowPathView &view, Ports &in, const std::vector<uint8_t> &packet) {
  for (const auto &port : view.frontends) {
    if (port->index() == in.index()) continue;
    EthernetII frame = verbatim(packet);
    port->send_packet_out(frame);
  }
}

// The reset a host without that port would send (RFC 9293, section 3.10.7.1).
Tins::TCP reset_for(const Tins::IP &ip, const Tins::TCP &tcp) {
  Tins::TCP reset(tcp.sport(), tcp.dport());
  if (tcp.get_flag(Tins::TCP::ACK)) {
    reset.flags(Tins::TCP::RST);
    reset.seq(tcp.ack_seq());
  } else {
    const int payload = ip.tot_len() - ip.head_len() * 4 - tcp.data_offset() * 4;
    const int occupied = tcp.get_flag(Tins::TCP::SYN) + tcp.get_flag(Tins::TCP::FIN);
    reset.flags(Tins::TCP::RST | Tins::TCP::ACK);
    reset.ack_seq(tcp.seq() + static_cast<uint32_t>(payload + occupied));
  }
  return reset;
}

// ICMP destination unreachable, quoting as much of the packet as RFC 792 asks for: IP header and 8 bytes.
Tins::ICMP unreachable_for(const Tins::IP &ip, const uint8_t *ip_bytes, std::size_t size, uint8_t code) {
  Tins::ICMP icmp(Tins::ICMP::DEST_UNREACHABLE);
  icmp.code(code);
  const std::size_t quoted = std::min<std::size_t>(size, ip.head_len() * 4U + 8U);
  return icmp / Tins::RawPDU(ip_bytes, static_cast<uint32_t>(quoted));
}

// Tells the sender that nobody is there.
void reject(Ports &in, const std::vector<uint8_t> &packet) {
  constexpr uint8_t kHostUnreachable = 1, kPortUnreachable = 3;
  EthernetII request(packet.data(), static_cast<uint32_t>(packet.size()));
  const auto *ip = request.find_pdu<Tins::IP>();
  if (!ip) return;

  EthernetII reply(request.src_addr(), request.dst_addr());
  std::size_t offset = request.header_size();
  for (const Tins::PDU *layer = request.inner_pdu(); layer && layer != ip; layer = layer->inner_pdu()) {
    offset += layer->header_size();
    if (layer->pdu_type() == Tins::PDU::DOT1Q)
      reply /= Tins::Dot1Q(static_cast<const Tins::Dot1Q *>(layer)->id());
  }
  reply /= Tins::IP(ip->src_addr(), ip->dst_addr());
  if (const auto *tcp = ip->find_pdu<Tins::TCP>()) {
    if (tcp->get_flag(Tins::TCP::RST)) return;
    reply /= reset_for(*ip, *tcp);
  } else {
    const uint8_t code = ip->protocol() == IPPROTO_UDP ? kPortUnreachable : kHostUnreachable;
    reply /= unreachable_for(*ip, packet.data() + offset, packet.size() - offset, code);
  }
  in.send_packet_out(reply);
}

// A client answered for its own address; the BACKEND side may have asked for the virtual one that stands for
// it.
void repeat_arp_reply(const SlowPathView &view, const std::vector<uint8_t> &packet) {
  if (!view.backend || view.rewrite.check == 0) return;
  EthernetII frame(packet.data(), static_cast<uint32_t>(packet.size()));
  auto *arp = frame.find_pdu<Tins::ARP>();
  if (!arp) return;
  const uint32_t sender = arp->sender_ip_addr();
  if ((sender & view.rewrite.mask) != view.rewrite.net) return;
  arp->sender_ip_addr(Tins::IPv4Address(view.rewrite.new_net | (sender & ~view.rewrite.mask)));
  view.backend->send_packet_out(frame);
}

// The datapath knows by now what becomes of this fragment.
void enter_again(Ports &port, const std::vector<uint8_t> &packet) {
  EthernetII frame = verbatim(packet);
  port.send_packet_out(frame, true);
}

}  // namespace

void handle_slow_path(polycube::service::BaseCube &cube, const Openings &openings, const SlowPathView &view,
                      HeldFragments &fragments, Ports &port,
                      const polycube::service::PacketInMetadata &metadata,
                      const std::vector<uint8_t> &packet) {
  const HeldFragments::Datagram datagram{metadata.metadata[0], metadata.metadata[1], metadata.metadata[2]};
  const auto now = HeldFragments::Clock::now();
  try {
    switch (metadata.reason) {
      case abi::REASON_FLOOD:
        return flood(view, port, packet);
      case abi::REASON_REJECT:
        return reject(port, packet);
      case abi::REASON_RESET:
        reject(port, packet);
        return tell_other_end(cube, openings, view, port, packet);
      case abi::REASON_ARP_REPLY:
        return repeat_arp_reply(view, packet);
      case abi::REASON_FRAGMENT_HOLD:
        if (const auto released = fragments.hold(datagram, packet, now)) enter_again(port, *released);
        return;
      case abi::REASON_FRAGMENT_RELEASE:
        for (const auto &held : fragments.release(datagram, now)) enter_again(port, held);
        return;
    }
  } catch (const Tins::exception_base &) {
    // Not a packet anybody could answer.
  }
}

}  // namespace k8slbrp
