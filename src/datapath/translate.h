/* Address and port translation of a packet, with its checksums. */

static __always_inline __u32 fold32(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  return (sum & 0xffffffff) + (sum >> 32);
}

static __always_inline __sum16 fold16(__u64 sum) {
  __u32 folded = fold32(sum);
  folded = (folded & 0xffff) + (folded >> 16);
  return (folded & 0xffff) + (folded >> 16);
}

/* What replacing one value by another adds to a ones' complement sum (RFC 1624). */
static __always_inline __u64 delta32(__be32 from, __be32 to) { return (__u64)(__u32)~from + to; }
static __always_inline __u64 delta16(__be16 from, __be16 to) { return (__u64)(__u16)~from + to; }

static __always_inline __sum16 adjust_checksum(__sum16 check, __u64 delta) {
  return ~fold16((__u64)(__u16)~check + delta);
}

/* The same for an L4 checksum, where UDP writes a sum of zero as its complement. */
static __always_inline __sum16 adjust_l4_checksum(__sum16 check, __u8 proto, __u64 delta) {
  __sum16 sum = adjust_checksum(check, delta);
  return proto == PROTO_UDP && sum == 0 ? 0xffff : sum;
}

/* Rewrites the addresses of the IPv4 header at `ip`; returns the delta they bring to sums that cover them. */
static __always_inline __u64 rewrite_addresses(struct iphdr *ip, __be32 saddr, __be32 daddr) {
  __u64 delta = delta32(ip->saddr, saddr) + delta32(ip->daddr, daddr);
  ip->check = adjust_checksum(ip->check, delta);
  ip->saddr = saddr;
  ip->daddr = daddr;
  return delta;
}

static __always_inline __u32 checksum_offset(__u8 proto) {
  if (proto == PROTO_TCP) return 16;
  return proto == PROTO_UDP ? 6 : 2;
}

#ifdef POLYCUBE_XDP

/* Corrects the L4 checksum at offset `l4 + checksum_offset(proto)`, in XDP: simply. */
static __always_inline void correct_l4_checksum(struct CTXTYPE *ctx, __u32 l4, __u8 proto, __u64 addresses,
                                                __u64 ports_delta) {
  __sum16 *check = packet_data(ctx) + (l4 & L4_MASK) + checksum_offset(proto);
  if ((void *)(check + 1) > packet_end(ctx)) return;
  if (proto == PROTO_UDP && *check == 0) return; /* RFC 768: sender did not compute one */
  __u64 delta = proto == PROTO_ICMP ? ports_delta : (__u64)fold32(addresses) + fold32(ports_delta);
  *check = adjust_l4_checksum(*check, proto, delta);
}

#else

#ifdef _PCN_IP_SUMMED_BYTE

#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL 3

/* The same in TC where the daemon tells how far the checksum is done (pcnhost on Linux 6.2 and later):
 * without the helper's call. False when it takes the helper. */
static __always_inline bool correct_without_helper(struct CTXTYPE *ctx, __u32 offset, __u8 proto,
                                                   __u64 addresses, __u64 ports_delta) {
  __u32 summed = pcnhost_ip_summed(ctx);
  if (summed == CHECKSUM_COMPLETE) return false; /* skb->csum has to follow: only the helper sees to that */
  __sum16 *check = packet_data(ctx) + offset;
  if ((void *)(check + 1) > packet_end(ctx)) return true;
  if (proto == PROTO_UDP && *check == 0) return true;
  if (summed == CHECKSUM_PARTIAL) {
    __sum16 sum = proto == PROTO_ICMP ? *check : fold16((__u64)(__u16)*check + fold32(addresses));
    *check = proto == PROTO_UDP && sum == 0 ? 0xffff : sum;
    return true;
  }
  __u64 delta = proto == PROTO_ICMP ? ports_delta : (__u64)fold32(addresses) + fold32(ports_delta);
  *check = adjust_l4_checksum(*check, proto, delta);
  return true;
}

#endif

/*
 * The same in TC. A packet of a local sender may carry an unfinished checksum (CHECKSUM_PARTIAL): the sum of
 * the pseudo header only, which the change of the addresses concerns and that of the ports does not. The
 * kernel's helper knows which it is, the program does not. So the helper corrects for the addresses; if the
 * result is that of a finished checksum, the ports need no second call. That shows only if the addresses
 * change the sum. Invalidates packet pointers.
 */
static __always_inline void correct_l4_checksum(struct CTXTYPE *ctx, __u32 l4, __u8 proto, __u64 addresses,
                                                __u64 ports_delta) {
  __u32 offset = (l4 & L4_MASK) + checksum_offset(proto);
#ifdef _PCN_IP_SUMMED_BYTE
  if (correct_without_helper(ctx, offset, proto, addresses, ports_delta)) return;
#endif
  __u64 flags = proto == PROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
  __u16 delta = fold16(ports_delta);
  bool ports_change = delta != 0 && delta != 0xffff; /* both are zero in ones' complement */

  if (proto != PROTO_ICMP) {
    __sum16 *check = packet_data(ctx) + offset;
    if ((void *)(check + 1) > packet_end(ctx)) return;
    if (proto == PROTO_UDP && *check == 0) { /* RFC 768: sender did not compute one */
      bpf_csum_update(ctx, delta);           /* no L4 checksum cancels the ports in the NIC's sum */
      return;
    }
    __u16 addresses_delta = fold16(addresses);
    __sum16 finished = adjust_l4_checksum(*check, proto, addresses);
    pcn_l4_csum_replace(ctx, offset, 0, fold32(addresses), flags | BPF_F_PSEUDO_HDR);
    if (!ports_change) return;
    if (addresses_delta != 0 && addresses_delta != 0xffff) {
      check = packet_data(ctx) + offset;
      if ((void *)(check + 1) > packet_end(ctx)) return;
      if (*check == finished) *check = adjust_l4_checksum(finished, proto, delta);
      return;
    }
  }
  if (ports_change) pcn_l4_csum_replace(ctx, offset, 0, delta, flags);
}

#endif

/* Turns the flow packet `pkt` into what `to` says. Returns false when the headers are out of reach. */
static __always_inline bool translate(struct CTXTYPE *ctx, const struct packet *pkt,
                                      const struct translation *to) {
  void *data = packet_data(ctx);
  void *end = packet_end(ctx);
  struct iphdr *ip = data + (pkt->l3 & L3_MASK);
  void *l4 = data + (pkt->l4 & L4_MASK);
  if ((void *)(ip + 1) > end || l4 + UDP_HEADER > end) return false;

  __u64 addresses = rewrite_addresses(ip, to->saddr, to->daddr);
  __u64 ports_delta = delta16(pkt->tuple.sport, to->sport) + delta16(pkt->tuple.dport, to->dport);
  if (pkt->tuple.proto == PROTO_ICMP) {
    struct icmp_echo *icmp = l4;
    icmp->id = icmp->type == ICMP_ECHO_REQUEST ? to->sport : to->dport;
  } else {
    struct l4_ports *ports_field = l4;
    ports_field->source = to->sport;
    ports_field->dest = to->dport;
  }
  correct_l4_checksum(ctx, pkt->l4, pkt->tuple.proto, addresses, ports_delta);
  return true;
}
