/* Packets from clients, as far as no session takes care of them. */

/*
 * Makes a session for a request without one, whose backend has been chosen with `outcome`. `old`: what its
 * flow had as backend before, if `found` says that it had one.
 */
static __always_inline enum opening open_session(const struct packet *pkt, enum opening outcome,
                                                 const struct port *in, __u16 in_index, __u32 now,
                                                 const struct lookup *found, const struct flow *old,
                                                 __u32 hash, struct session *session) {
  __u8 proto = pkt->tuple.proto;
  if (proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return NOT_A_SERVICE;
  if (outcome == NOT_A_SERVICE) outcome = choose_itself(pkt, session);
  if (outcome != OPENED) return outcome;
  session->last_seen = now;
  session->port = in_index;
  session->port_generation = in->generation;
  session->state = first_state(pkt);
  session->removals = 0;
  session->pad = 0;
  if (pkt->tcp_flags & TCP_RST) return OPENED; /* ends something forgotten: pass it on, remember nothing */
  outcome = store_session(session, found, old, proto, hash);
  if (outcome != OPENED) return outcome;
  decided(NEW_SESSION);
  count_event(EVENT_NEW_SESSION);
  if (proto == PROTO_TCP && !(pkt->tcp_flags & TCP_SYN)) count_change(CHANGE_RESUMED);
  count_new_session(session);
  if (session->flags & SESSION_AFFINITY) remember_backend(session, proto);
  return OPENED;
}

/* Whatever the ports of its services. */
static __always_inline bool is_vip(__be32 address) { return vips.lookup(&address) != 0; }

/* What is not for a service: passes, because a VIP may be the address of a host as well, or is refused. */
static __always_inline action_t no_such_service(const struct packet *pkt) {
  __u32 zero = 0;
  struct settings *current = settings.lookup(&zero);
  if (!current || !current->reject_unserved) return ACTION_UNMATCHED;
  if (pkt->tuple.proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return ACTION_UNMATCHED;
  if (!may_be_known_address(pkt->tuple.daddr) || !is_vip(pkt->tuple.daddr)) return ACTION_UNMATCHED;
  decided(PORT_NOT_SERVED);
  count_event(EVENT_REJECTED);
  return punt(REASON_REJECT);
}

static __always_inline action_t not_opened(const struct packet *pkt, enum opening outcome) {
  switch (outcome) {
    case NOT_A_SERVICE:
      return no_such_service(pkt);
    case TABLE_CHANGED:
      return drop(EVENT_DROP_TABLE_CHANGED);
    case NO_SOURCE_PORT:
      return drop(EVENT_DROP_SOURCE_PORTS);
    case SOURCE_REFUSED:
      return drop(EVENT_DROP_SOURCE_RANGE);
    case TABLE_BUSY:
      return drop(EVENT_TABLE_BUSY);
    default:
      count_event(EVENT_REJECTED);
      return punt(REASON_REJECT);
  }
}
