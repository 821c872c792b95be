/* From bytes to `struct packet`: what kind of packet this is, where its headers are, which flow it belongs
 * to. */
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>

enum packet_class {
  PACKET_FLOW,       /* TCP, UDP or ICMP echo, with its L4 header */
  PACKET_FRAGMENT,   /* IPv4 fragment other than the first: no L4 header */
  PACKET_ICMP_ERROR, /* carries the head of a packet of some other flow */
  PACKET_OTHER_IP,   /* IPv4 that no service can match */
  PACKET_ARP,
  PACKET_NOT_IP,
  PACKET_MALFORMED,
};

struct packet {
  struct flow_key tuple;
  __u32 l3; /* offset of the IPv4 or ARP header */
  __u32 l4; /* offset of the L4 header */
  __u8 tcp_flags;
  __u8 icmp_type;
  __u8 first_fragment; /* more fragments follow this one */
  __u8 releases_held;  /* the slow path holds others of its datagram */
  __be16 ip_id;
  struct scratch *scratch;
};

struct vlan_tag {
  __be16 tci;
  __be16 type;
};

struct l4_ports {
  __be16 source;
  __be16 dest;
};

struct icmp_echo {
  __u8 type;
  __u8 code;
  __sum16 check;
  __be16 id;
  __be16 sequence;
};

/* <linux/in.h> has these, but brings in so many kernel headers that compiling takes three times as long. */
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17

#define TCP_HEADER 20
#define UDP_HEADER 8
#define ICMP_HEADER 8
#define TCP_SEQUENCE_OFFSET 4
#define TCP_ACKNOWLEDGED_OFFSET 8
#define TCP_FLAGS_OFFSET 13
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_ECHO_REQUEST 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12

#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff

/* How much of an L4 header there must be. */
static __always_inline __u32 l4_header_length(__u8 proto) {
  if (proto == PROTO_TCP) return TCP_HEADER;
  return proto == PROTO_UDP || proto == PROTO_ICMP ? UDP_HEADER : 0;
}

/* Offsets are masked where they are used: older verifiers forget the bounds of a value that was on the stack.
 */
#define L3_MASK 0x1f /* up to 22 */
#define L4_MASK 0x7f /* up to 82 */

static __always_inline void *packet_data(struct CTXTYPE *ctx) { return (void *)(long)ctx->data; }
static __always_inline void *packet_end(struct CTXTYPE *ctx) { return (void *)(long)ctx->data_end; }

static __always_inline __u32 packet_length(struct CTXTYPE *ctx) {
#ifdef POLYCUBE_XDP
  return packet_end(ctx) - packet_data(ctx);
#else
  return ctx->len;
#endif
}

/* Makes the first `len` bytes directly readable; packets built of pages (GRO, sendfile) keep headers
 * elsewhere. */
static __always_inline void linearize(struct CTXTYPE *ctx, __u32 len) {
#ifndef POLYCUBE_XDP
  if (packet_data(ctx) + len > packet_end(ctx)) {
    __u32 linear = ctx->data_end - ctx->data;
    if (ctx->len > linear) bpf_skb_pull_data(ctx, len < ctx->len ? len : ctx->len);
  }
#endif
}

static __always_inline bool is_icmp_error(__u8 type) {
  return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED ||
         type == ICMP_PARAMETER_PROBLEM;
}

/* Fills the ports of `tuple` from an ICMP echo header: the identifier stands for the port of whoever asks. */
static __always_inline void set_echo_ports(struct flow_key *tuple, __u8 type, __be16 id) {
  tuple->sport = type == ICMP_ECHO_REQUEST ? id : 0;
  tuple->dport = type == ICMP_ECHO_REQUEST ? 0 : id;
}

static __always_inline enum packet_class parse_l4(struct CTXTYPE *ctx, struct packet *pkt) {
  __u8 proto = pkt->tuple.proto;
  if (proto == PROTO_TCP) {
    linearize(ctx, pkt->l4 + TCP_HEADER);
    void *l4 = packet_data(ctx) + (pkt->l4 & L4_MASK);
    if (l4 + TCP_HEADER > packet_end(ctx)) return PACKET_MALFORMED;
    struct l4_ports *ports_field = l4;
    pkt->tuple.sport = ports_field->source;
    pkt->tuple.dport = ports_field->dest;
    pkt->tcp_flags = *(__u8 *)(l4 + TCP_FLAGS_OFFSET);
    pkt->scratch->numbers.sequence = bpf_ntohl(*(__be32 *)(l4 + TCP_SEQUENCE_OFFSET));
    pkt->scratch->numbers.acknowledged = bpf_ntohl(*(__be32 *)(l4 + TCP_ACKNOWLEDGED_OFFSET));
    return PACKET_FLOW;
  }
  if (proto != PROTO_UDP && proto != PROTO_ICMP) return PACKET_OTHER_IP;

  linearize(ctx, pkt->l4 + UDP_HEADER);
  void *l4 = packet_data(ctx) + (pkt->l4 & L4_MASK);
  if (l4 + UDP_HEADER > packet_end(ctx)) return PACKET_MALFORMED;
  if (proto == PROTO_UDP) {
    struct l4_ports *ports_field = l4;
    pkt->tuple.sport = ports_field->source;
    pkt->tuple.dport = ports_field->dest;
    return PACKET_FLOW;
  }
  struct icmp_echo *icmp = l4;
  pkt->icmp_type = icmp->type;
  if (icmp->type == ICMP_ECHO_REQUEST || icmp->type == ICMP_ECHO_REPLY) {
    set_echo_ports(&pkt->tuple, icmp->type, icmp->id);
    return PACKET_FLOW;
  }
  return is_icmp_error(icmp->type) ? PACKET_ICMP_ERROR : PACKET_OTHER_IP;
}

static __always_inline enum packet_class parse(struct CTXTYPE *ctx, struct packet *pkt) {
  linearize(ctx, ETH_HLEN + sizeof(struct iphdr) + TCP_HEADER);
  void *data = packet_data(ctx);
  void *end = packet_end(ctx);

  struct ethhdr *eth = data;
  if ((void *)(eth + 1) > end) return PACKET_MALFORMED;
  __be16 type = eth->h_proto;
  __u32 l3 = ETH_HLEN;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)) {
      struct vlan_tag *tag = data + l3;
      if ((void *)(tag + 1) > end) return PACKET_MALFORMED;
      type = tag->type;
      l3 += sizeof(*tag);
    }
  }
  l3 = hide_from_verifier(l3, type) & L3_MASK;
  pkt->l3 = l3;
  if (type == bpf_htons(ETH_P_ARP)) return PACKET_ARP;
  if (type != bpf_htons(ETH_P_IP)) return PACKET_NOT_IP;

  struct iphdr *ip = data + l3;
  if ((void *)(ip + 1) > end || ip->version != 4 || ip->ihl < 5) return PACKET_MALFORMED;
  __u32 header = ip->ihl * 4;
  pkt->l4 = l3 + header;
  __u16 total = bpf_ntohs(ip->tot_len);
  pkt->tuple.saddr = ip->saddr;
  pkt->tuple.daddr = ip->daddr;
  pkt->tuple.proto = ip->protocol;
  pkt->ip_id = ip->id;
  __be16 fragmentation = ip->frag_off;
  if (pkt->l4 > packet_length(ctx)) return PACKET_MALFORMED;
  if (fragmentation & bpf_htons(IP_FRAGMENT_OFFSET)) return PACKET_FRAGMENT;
  /* Bytes behind the datagram are padding, no L4 header. A length of 0 is BIG TCP: more than 16 bits can say.
   */
  if (total != 0 && total < header + l4_header_length(ip->protocol)) return PACKET_MALFORMED;
  pkt->first_fragment = (fragmentation & bpf_htons(IP_MORE_FRAGMENTS)) != 0;
  return parse_l4(ctx, pkt);
}
