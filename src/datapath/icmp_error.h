/*
 * ICMP errors about packets of a session (RFC 5508): the embedded packet travelled the other way, already
 * translated; it must read again as its sender sent it, or path MTU discovery and traceroute through a VIP do
 * not work.
 */

#define INNER_L3_MASK 0x7f /* up to 90 */
#define INNER_L4_MASK 0xff /* up to 150 */
#define INNER_L4_HEADER 8  /* all that RFC 792 promises of the embedded L4 header */

/* The longest headers there are: tags, IPv4 with options, ICMP, embedded IPv4 with options, and what follows
 * it. */
#define ICMP_ERROR_HEADERS (ETH_HLEN + 8 + 60 + ICMP_HEADER + 60 + TCP_HEADER)

static __always_inline bool parse_icmp_error(struct CTXTYPE *ctx, const struct packet *pkt,
                                             struct icmp_error *error) {
  linearize(ctx, ICMP_ERROR_HEADERS);
  void *data = packet_data(ctx);
  void *end = packet_end(ctx);
  error->inner_l3 = pkt->l4 + ICMP_HEADER;
  struct iphdr *inner = data + (error->inner_l3 & INNER_L3_MASK);
  if ((void *)(inner + 1) > end || inner->version != 4 || inner->ihl < 5) return false;
  if (inner->frag_off & bpf_htons(IP_FRAGMENT_OFFSET)) return false;
  if (inner->saddr != pkt->tuple.daddr) return false; /* forged: errors go to the sender of what they quote */
  error->inner_l4 = error->inner_l3 + inner->ihl * 4;
  void *l4 = data + (error->inner_l4 & INNER_L4_MASK);
  if (l4 + INNER_L4_HEADER > end) return false;

  struct flow_key inner_tuple = {.proto = inner->protocol};
  if (inner->protocol == PROTO_ICMP) {
    struct icmp_echo *icmp = l4;
    if (icmp->type != ICMP_ECHO_REQUEST && icmp->type != ICMP_ECHO_REPLY) return false;
    error->inner_icmp_type = icmp->type;
    set_echo_ports(&inner_tuple, icmp->type, icmp->id);
  } else if (inner->protocol == PROTO_TCP || inner->protocol == PROTO_UDP) {
    struct l4_ports *ports_field = l4;
    inner_tuple.sport = ports_field->source;
    inner_tuple.dport = ports_field->dest;
  } else {
    return false;
  }
  error->expected.saddr = inner->daddr;
  error->expected.daddr = inner->saddr;
  error->expected.sport = inner_tuple.dport;
  error->expected.dport = inner_tuple.sport;
  error->expected.proto = inner->protocol;
  error->expected.side = pkt->tuple.side;
  return true;
}

/* Corrects the embedded TCP or UDP checksum where it is there; returns the delta this brings to the outer
 * sum. */
static __always_inline __u64 correct_inner_checksum(void *l4, void *end, __u8 proto, __u64 delta) {
  __sum16 *check = l4 + checksum_offset(proto);
  if ((void *)(check + 1) > end) return 0;
  if (proto == PROTO_UDP && *check == 0) return 0;
  __sum16 before = *check;
  __sum16 after = adjust_l4_checksum(before, proto, delta);
  *check = after;
  return delta16(before, after);
}

/* `to` translates the flow `error->expected`; the embedded packet is its mirror image. */
static __always_inline bool translate_icmp_error(struct CTXTYPE *ctx, const struct packet *pkt,
                                                 const struct icmp_error *error,
                                                 const struct translation *to) {
  void *data = packet_data(ctx);
  void *end = packet_end(ctx);
  struct iphdr *outer = data + (pkt->l3 & L3_MASK);
  struct iphdr *inner = data + (error->inner_l3 & INNER_L3_MASK);
  void *l4 = data + (error->inner_l4 & INNER_L4_MASK);
  if ((void *)(outer + 1) > end || (void *)(inner + 1) > end || l4 + INNER_L4_HEADER > end) return false;

  rewrite_addresses(outer, pkt->scratch->egress.saddr, pkt->scratch->egress.daddr);
  /* `delta`: of all that the outer checksum covers: addresses, IP checksum, ports and L4 checksum. */
  __sum16 inner_check = inner->check;
  __u64 addresses = rewrite_addresses(inner, to->daddr, to->saddr);
  __u64 delta = (__u64)fold32(addresses) + delta16(inner_check, inner->check);
  __u64 ports_delta = delta16(error->expected.sport, to->sport) + delta16(error->expected.dport, to->dport);
  if (error->expected.proto == PROTO_ICMP) {
    struct icmp_echo *icmp = l4;
    icmp->id = error->inner_icmp_type == ICMP_ECHO_REQUEST ? to->dport : to->sport;
    __sum16 before = icmp->check;
    icmp->check = adjust_checksum(before, ports_delta);
    delta += ports_delta + delta16(before, icmp->check);
  } else {
    struct l4_ports *ports_field = l4;
    ports_field->source = to->dport;
    ports_field->dest = to->sport;
    __u64 covered = fold32(addresses) + ports_delta;
    delta += ports_delta + correct_inner_checksum(l4, end, error->expected.proto, covered);
  }
  correct_l4_checksum(ctx, pkt->l4, PROTO_ICMP, 0, delta);
  return true;
}
