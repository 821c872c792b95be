/* Packets from clients, as far as no session takes care of them. */

enum opening { OPENED, NOT_A_SERVICE, NO_BACKEND, TABLE_CHANGED, NO_SOURCE_PORT };

/* The address under which backends see the client. */
static __always_inline __be32 visible_source(__be32 client, __be32 backend, __be32 vip) {
  /* Hairpin: a pod that got itself as backend would take a packet from its own address for a forgery. */
  if (client == backend) return vip;
  struct src_ip_rewrite *rewrite = active_rewrite();
  if (rewrite && (client & rewrite->mask) == rewrite->net)
    return rewrite->new_net | (client & ~rewrite->mask);
  return client;
}

#define SOURCE_PORT_ATTEMPTS 3
#define FIRST_SOURCE_PORT 1024

/*
 * Stores both directions. Two sessions of one client may meet on the same backend from the same source port
 * (through two VIPs, say); the backend could not tell them apart, so the later one gets another source port.
 */
static __always_inline bool store_session(const struct packet *pkt, struct session *session, __u32 hash,
                                          __u16 in, __u32 port_generation) {
#pragma unroll
  for (int attempt = 0; attempt < SOURCE_PORT_ATTEMPTS; attempt++) {
    struct tuple key = twin_tuple(session, pkt->tuple.proto);
    struct session twin = twin_session(session, &pkt->tuple, in, port_generation);
    bool stored = sessions.insert(&key, &twin) == 0;
    if (!stored) {
      struct session *old = sessions.lookup(&key);
      /* A session that has ended is only kept for stragglers: the last attempt may have its place. */
      bool given_up = old && attempt == SOURCE_PORT_ATTEMPTS - 1 && old->state == SESSION_CLOSING;
      if (!old || given_up || is_twin_of(old, &pkt->tuple) ||
          expired(old, pkt->tuple.proto, session->last_seen)) {
        sessions.update(&key, &twin);
        stored = true;
      }
    }
    if (stored) {
      sessions.update((struct tuple *)&pkt->tuple, session);
      count(EVENT_NEW_SESSION);
      return true;
    }
    hash = hash * 0x9e3779b1 + 1;
    session->sport = bpf_htons(FIRST_SOURCE_PORT + (hash >> 16) % (65536 - FIRST_SOURCE_PORT));
  }
  return false;
}

/* Chooses a backend for a flow without session and remembers the choice in `session`. */
static __always_inline enum opening open_session(const struct packet *pkt, const struct port *in,
                                                 __u16 in_index, __u32 now, struct session *session) {
  if (pkt->tuple.proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return NOT_A_SERVICE;
  struct service_key key = service_of(&pkt->tuple);
  struct service *entry = services.lookup(&key);
  if (!entry) return NOT_A_SERVICE;
  __u32 hash = flow_hash(&pkt->tuple);
  struct service service = *entry;
  if (service.slots == 0) return NO_BACKEND;
  if (!select_backend(&service, hash, &session->daddr, &session->dport)) {
    entry = services.lookup(&key);
    if (!entry) return NOT_A_SERVICE;
    service = *entry;
    if (service.slots == 0) return NO_BACKEND;
    if (!select_backend(&service, hash, &session->daddr, &session->dport)) return TABLE_CHANGED;
  }
  session->saddr = visible_source(pkt->tuple.saddr, session->daddr, pkt->tuple.daddr);
  session->sport = pkt->tuple.sport;
  session->last_seen = now;
  session->out = in->out;
  session->service_port = pkt->tuple.dport;
  session->flags = SESSION_FORWARD;
  /* The answer to a hairpin comes from a client's side; everything else from the backends'. */
  session->twin_side = pkt->tuple.saddr == session->daddr ? SIDE_FRONTEND : SIDE_BACKEND;
  __u16 reply_port = session->twin_side == SIDE_BACKEND ? in_index : in->out;
  session->state = first_state(pkt);
  if (pkt->tcp_flags & TCP_RST) return OPENED; /* ends something forgotten: pass it on, remember nothing */
  return store_session(pkt, session, hash, reply_port, in->generation) ? OPENED : NO_SOURCE_PORT;
}

/*
 * A client that opens a connection to a backend's own address may take a port from which it has just ended
 * one to a VIP: then the answers are no longer the VIP's.
 */
static __always_inline void let_go_of_answers(const struct packet *pkt) {
  if (pkt->tuple.proto != PROTO_TCP || !is_opening(pkt)) return;
  struct tuple answer = {
      .saddr = pkt->tuple.daddr,
      .daddr = pkt->tuple.saddr,
      .sport = pkt->tuple.dport,
      .dport = pkt->tuple.sport,
      .proto = PROTO_TCP,
      .side = SIDE_BACKEND,
  };
  struct session *session = sessions.lookup(&answer);
  if (session && session->state == SESSION_CLOSING) sessions.delete(&answer);
}

/* What is not for a service goes on as it came, whole: a VIP may be the address of a host as well. */
static __always_inline action_t frontend_unmatched(const struct packet *pkt, const struct port *in) {
  if (pkt->first_fragment && is_vip(pkt->tuple.daddr)) remember_untranslated(pkt, in->out, current_tick());
  return in->out;
}

/* Later fragments of a datagram whose first one was not seen: to a VIP they may belong to a service's. */
static __always_inline action_t frontend_fragment(const struct packet *pkt) {
  if (may_be_for_service(pkt->tuple.proto) && is_vip(pkt->tuple.daddr)) return drop(EVENT_DROP_FRAGMENT);
  return ACTION_UNMATCHED;
}

/* ICMP errors of no known session: nobody wants those about a packet that a service has sent. */
static __always_inline action_t frontend_icmp_error(const struct icmp_error *error) {
  struct service_key key = service_of(&error->expected);
  return services.lookup(&key) ? drop(EVENT_DROP_ICMP_ERROR) : ACTION_UNMATCHED;
}

static __always_inline action_t not_opened(const struct packet *pkt, enum opening outcome) {
  if (outcome == NOT_A_SERVICE) {
    let_go_of_answers(pkt);
    return ACTION_UNMATCHED;
  }
  if (outcome == TABLE_CHANGED) return drop(EVENT_DROP_TABLE_CHANGED);
  if (outcome == NO_SOURCE_PORT) return drop(EVENT_DROP_SOURCE_PORTS);
  count(EVENT_REJECTED);
  return punt(REASON_REJECT);
}
