/* Packets from the BACKEND port without a session. */

static __always_inline bool is_multicast_or_broadcast(__be32 ip) {
  return (ip & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || ip == 0xffffffff;
}

static __always_inline bool has_group_mac(struct CTXTYPE *ctx) {
  struct ethhdr *eth = packet_data(ctx);
  return (void *)(eth + 1) <= packet_end(ctx) && (eth->h_dest[0] & 1);
}

/* The FRONTEND port with the destination address; broadcast and multicast are flooded. */
static __always_inline action_t port_towards_client(struct CTXTYPE *ctx, const struct packet *pkt,
                                                    const struct port *in) {
  if (!in->multi) return in->out;
  __u32 out = frontend_port_of(pkt->tuple.daddr);
  if (out == NO_PORT && (is_multicast_or_broadcast(pkt->tuple.daddr) || has_group_mac(ctx)))
    return punt(REASON_FLOOD);
  return out;
}

static __always_inline bool is_answer(const struct packet *pkt) {
  if (pkt->tuple.proto == PROTO_TCP) return !is_syn(pkt);
  return pkt->tuple.proto != PROTO_ICMP || pkt->icmp_type == ICMP_ECHO_REPLY;
}

/*
 * For the answer of a service's backend to a session that is not here: evicted, over, or another node's. Its
 * client knows the backend as the service, and would reset a healthy connection; the client's next packet
 * makes the session again.
 */
static __always_inline action_t drop_answer_without_session(const struct packet *pkt, bool known) {
  const struct flow_key *tuple = &pkt->tuple;
  if (known && is_answer(pkt) && is_backend(tuple->saddr, tuple->sport, tuple->proto)) {
    decided(ANSWER_OF_NOBODY);
    return drop(EVENT_DROP_NO_SESSION);
  }
  return ACTION_UNMATCHED;
}
