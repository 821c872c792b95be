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
 * Stores a new session where others are, or may be. Two sessions of one client may meet on the same backend
 * from the same source port (through two VIPs, say); the backend could not tell them apart, so the later one
 * gets another source port.
 */
static __always_inline enum opening remember_beside_others(struct session *session, __u8 proto, __u32 hash) {
  struct session answers = *session;
  __u8 side = turn(&answers, SIDE_FRONTEND);
  hash += session->last_seen; /* a packet that is sent again a second later tries other ports */
  bool taken = true;
#pragma unroll
  for (int attempt = 1; taken && attempt <= SOURCE_PORT_ATTEMPTS; attempt++) {
    taken = is_taken(&answers, proto, side, attempt == SOURCE_PORT_ATTEMPTS);
    if (!taken) continue;
    hash = hash * 0x9e3779b1 + 1;
    session->back.near_port = bpf_htons(FIRST_SOURCE_PORT + (hash >> 16) % (65536 - FIRST_SOURCE_PORT));
    answers = *session;
    turn(&answers, SIDE_FRONTEND);
  }
  if (taken) return NO_SOURCE_PORT;
  return store_session(session, &answers, proto, side) ? OPENED : TABLE_CHANGED;
}

/* Usually nothing else is known of the client's end: then one insertion is all. */
static __always_inline enum opening remember(struct session *session, __u8 proto, bool vacant, __u32 hash) {
  struct session_key key = near_end(&session->front, proto);
  if (vacant && has_one_end(session) && sessions.insert(&key, session) == 0) return OPENED;
  return remember_beside_others(session, proto, hash);
}

/* Chooses a backend for a flow without session and remembers the choice in `session`. */
static __always_inline enum opening open_session(const struct packet *pkt, const struct port *in,
                                                 __u16 in_index, __u32 now, bool vacant,
                                                 struct session *session) {
  if (pkt->tuple.proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return NOT_A_SERVICE;
  struct service_key key = service_of(&pkt->tuple);
  __u32 hash = flow_hash(&pkt->tuple);
  struct backend backend;
  enum choice choice = choose(&key, hash, &backend);
  if (choice == CHOICE_NO_SERVICE) return NOT_A_SERVICE;
  if (choice == CHOICE_NO_BACKEND) return NO_BACKEND;
  if (choice == CHOICE_CHANGED) return TABLE_CHANGED;
  session->back.far = backend.ip;
  session->back.far_port = backend.port;
  session->front = flow_of(&pkt->tuple);
  session->back.near = visible_source(session->front.near, session->back.far, session->front.far);
  session->back.near_port = session->front.near_port;
  session->last_seen = now;
  session->port = in_index;
  session->port_generation = in->generation;
  session->state = first_state(pkt);
  if (pkt->tcp_flags & TCP_RST) return OPENED; /* ends something forgotten: pass it on, remember nothing */
  enum opening outcome = remember(session, pkt->tuple.proto, vacant, hash);
  if (outcome == OPENED) count(EVENT_NEW_SESSION);
  return outcome;
}

/*
 * A client that opens a connection to a backend's own address may take a port from which it has just ended
 * one to a VIP: then the answers are no longer the VIP's.
 */
static __always_inline void let_go_of_answers(const struct packet *pkt) {
  if (pkt->tuple.proto != PROTO_TCP || !is_opening(pkt)) return;
  struct flow flow = flow_of(&pkt->tuple);
  struct session_key key;
  struct session *session = find_entry(&flow, PROTO_TCP, SIDE_BACKEND, &key);
  if (session && is_closing(session)) session->flags |= SESSION_RELEASED;
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
