/*
 * The fast path, which most packets take: those of a session that this packet does not change, and those that
 * have nothing to do with services. All others take the full path, which would do the same to these
 * (tests/datapath/test_dp_fast_path.py runs both against each other).
 */

#define NO_FAST_PATH 0x20000 /* no port: the packet is as it was, and takes the full path */

/* Untagged IPv4 without options and no fragment; TCP in the middle of a connection, UDP or ICMP echo. */
static __always_inline bool parse_plain(struct CTXTYPE *ctx, struct packet *pkt) {
  void *data = packet_data(ctx);
  void *end = packet_end(ctx);
  struct ethhdr *eth = data;
  struct iphdr *ip = data + ETH_HLEN;
  struct l4_ports *ports_field = (void *)(ip + 1);
  if ((void *)ports_field + UDP_HEADER > end) return false;
  if (eth->h_proto != bpf_htons(ETH_P_IP) || *(__u8 *)ip != 0x45) return false;
  if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET)) return false;
  if (bpf_ntohs(ip->tot_len) < sizeof(*ip) + l4_header_length(ip->protocol)) return false;
  pkt->l3 = ETH_HLEN;
  pkt->l4 = ETH_HLEN + sizeof(*ip);
  pkt->tuple.saddr = ip->saddr;
  pkt->tuple.daddr = ip->daddr;
  pkt->tuple.proto = ip->protocol;
  pkt->tuple.sport = ports_field->source;
  pkt->tuple.dport = ports_field->dest;
  if (ip->protocol == PROTO_UDP) return true;
  if (ip->protocol == PROTO_TCP) {
    if ((void *)ports_field + TCP_HEADER > end) return false;
    return !(*((__u8 *)ports_field + TCP_FLAGS_OFFSET) & (TCP_FIN | TCP_SYN | TCP_RST));
  }
  struct icmp_echo *icmp = (void *)ports_field;
  if (ip->protocol != PROTO_ICMP) return false;
  if (icmp->type != ICMP_ECHO_REQUEST && icmp->type != ICMP_ECHO_REPLY) return false;
  set_echo_ports(&pkt->tuple, icmp->type, icmp->id);
  return true;
}

/* Whether the session's entry stays as it is. The first packet of a tick renews `last_seen`, on the full
 * path; one that comes in elsewhere may note another port there. */
static __always_inline bool is_steady(const struct session *session, __u8 proto, const struct port *in,
                                      bool from_client, __u32 now) {
  if (session->last_seen != now || session->place_number) return false; /* the packet may confirm it */
  if (from_client && session->port_generation != in->generation) return false;
  if (from_client && session->flags & SESSION_FLAG_CONTESTED) return false; /* it may be its successor's */
  if (proto == PROTO_TCP) return session->state == SESSION_ESTABLISHED;
  if (session->state != SESSION_ANSWERED && session->state != SESSION_ESTABLISHED) return false;
  if (!from_client || session->flags & SESSION_FLAG_DIRECT) return true;
  __u32 zero = 0;
  __u32 *removed = removals.lookup(&zero);
  return removed && session->removals == *removed;
}

static __always_inline bool may_reject_unserved(void) {
  __u32 zero = 0;
  struct settings *current = settings.lookup(&zero);
  return !current || current->reject_unserved;
}

/* Translates the packet if it has to be. Returns the port where it leaves, or NO_FAST_PATH. */
static __always_inline __u32 take_fast_path(struct CTXTYPE *ctx, const struct port *in) {
#ifdef PCN_DECISIONS
  return NO_FAST_PATH; /* the full path says why */
#endif
  struct packet pkt = {};
  if (!parse_plain(ctx, &pkt)) return NO_FAST_PATH;
  bool from_client = in->side == SIDE_FRONTEND;
  pkt.tuple.side = from_client ? SIDE_FRONTEND : SIDE_BACKEND;
  __u32 now = current_tick();
  struct client_key key = client_key_of(&pkt.tuple);
  struct session *entry = clients.lookup(&key), session;
  if (!entry) {
    if (may_involve_server(&pkt.tuple) || may_have_flows(&key, now)) return NO_FAST_PATH;
    if (from_client && may_reject_unserved()) return NO_FAST_PATH;
    __u32 out = from_client || !in->multi ? in->out : frontend_port_of(pkt.tuple.daddr);
    if (out == NO_PORT) return NO_FAST_PATH;
    count_fate(pkt.tuple.side, FATE_PASSED, packet_length(ctx));
    return out;
  }
  if (!copy_session(entry, &session) || !matches(&session, &pkt.tuple, from_client)) return NO_FAST_PATH;
  if (!is_steady(&session, pkt.tuple.proto, in, from_client, now)) return NO_FAST_PATH;
  struct translation to = translation_of(&session, from_client);
  struct egress egress = {
      .daddr = to.daddr, .port_generation = session.port_generation, .port = session.port};
  __u32 out = egress_port(in, &egress);
  if (out == NO_PORT || !translate(ctx, &pkt, &to)) return NO_FAST_PATH;
  count_translated(session.counter, from_client, packet_length(ctx));
  return out;
}
