/*
 * What a session is: how its packets look in either direction, what they become, in which state it is, and
 * when it is over. Where sessions are kept is the business of session_table.h.
 *
 * Expired: idle for longer than its state allows. Closed: both sides have sent a FIN. Reset: one has sent an
 * RST. Ended: by an operator. Over: expired, or not needed any more, is_needed().
 */

/* --- flows --- */

static __always_inline bool same_flow(const struct flow *a, const struct flow *b) {
  const word32 *left = (const word32 *)a, *right = (const word32 *)b;
  return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2])) == 0; /* one branch */
}

static __always_inline struct flow flow_of(const struct flow_key *tuple, bool from_client) {
  struct flow flow = {
      .client = from_client ? tuple->saddr : tuple->daddr,
      .server = from_client ? tuple->daddr : tuple->saddr,
      .client_port = from_client ? tuple->sport : tuple->dport,
      .server_port = from_client ? tuple->dport : tuple->sport,
  };
  return flow;
}

/* Whether the backend sees the client's own address and port. */
static __always_inline bool backend_sees_client(const struct session *session) {
  return session->front.client == session->back.client &&
         session->front.client_port == session->back.client_port;
}

/* A pod that is client and backend in one: what it answers enters by FRONTEND ports, too. */
static __always_inline bool is_hairpin(const struct session *session) {
  return session->front.client == session->back.server;
}

static __always_inline struct flow_key request_of(const struct session *session, __u8 proto) {
  struct flow_key tuple = {
      .saddr = session->front.client,
      .daddr = session->front.server,
      .sport = session->front.client_port,
      .dport = session->front.server_port,
      .proto = proto,
      .side = SIDE_FRONTEND,
  };
  return tuple;
}

static __always_inline struct flow_key answer_of(const struct session *session, __u8 proto) {
  struct flow_key tuple = {
      .saddr = session->back.server,
      .daddr = session->back.client,
      .sport = session->back.server_port,
      .dport = session->back.client_port,
      .proto = proto,
      .side = is_hairpin(session) ? SIDE_FRONTEND : SIDE_BACKEND,
  };
  return tuple;
}

static __always_inline struct client_key client_key_of_session(const struct session *session, __u8 proto) {
  struct client_key key = {.ip = session->front.client, .port = session->front.client_port, .proto = proto};
  return key;
}

/* What a packet of a session carries when it leaves. */
struct translation {
  __be32 saddr;
  __be32 daddr;
  __be16 sport;
  __be16 dport;
};

static __always_inline struct translation translation_of(const struct session *session, bool from_client) {
  struct translation to = {
      .saddr = from_client ? session->back.client : session->front.server,
      .daddr = from_client ? session->back.server : session->front.client,
      .sport = from_client ? session->back.client_port : session->front.server_port,
      .dport = from_client ? session->back.server_port : session->front.client_port,
  };
  return to;
}

/* --- entries whose memory may be used again by another CPU --- */

/*
 * Copies an entry. False when it was being overwritten meanwhile: then the copy is of no use. The check
 * covers both flows. It is read once more at the end: if the kernel had begun to write another session, it
 * would be another one, so the rest is this session's, too.
 */
static __always_inline bool copy_session(const struct session *entry, struct session *session) {
  const volatile word64 *from = (const volatile word64 *)entry;
  word64 *to = (word64 *)session;
#pragma unroll
  for (int i = 0; i < sizeof(*session) / sizeof(*to); i++) to[i] = from[i];
  __u32 later = LOAD_ONCE(entry->check);
  return ((session->check ^ session_check(session)) | (session->check ^ later)) == 0; /* one branch */
}

/* Whether an entry that a lookup has found, or null, is one of this session. */
static __always_inline bool is_entry_of(const struct session *entry, const struct session *session) {
  return entry && entry->check == session->check;
}

/* --- state --- */

static __always_inline bool is_syn(const struct packet *pkt) {
  return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

/* After an RST, whoever has gone on since, and sessions that an operator has ended. */
static __always_inline bool is_reset(__u8 state) { return state >= SESSION_RESET; }

static __always_inline bool expired(const struct session *session, __u8 proto, __u32 now) {
  __s32 idle = now - session->last_seen; /* negative when another CPU has seen the next tick already */
  __u32 zero = 0;
  struct settings *current = settings.lookup(&zero);
  if (idle <= 0 || !current) return false;
  __u32 state = hide_from_compiler(session->state) % SETTINGS_STATES;
  return (__u32)idle > current->timeouts[proto % SETTINGS_PROTOCOLS][state];
}

/* Whether a new session may take the place of `old`. A backend may still remember a closed one: only as the
 * `last` resort. */
static __always_inline bool is_replaceable(const struct session *old, const struct session *session,
                                           __u8 proto, bool last) {
  return same_flow(&old->front, &session->front) || expired(old, proto, session->last_seen) ||
         (last && old->state == SESSION_CLOSED);
}

static __always_inline __u8 initial_state(const struct packet *pkt) {
  if (pkt->tuple.proto != PROTO_TCP || (pkt->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_ACK)
    return SESSION_OPENING;
  return pkt->tcp_flags & TCP_FIN ? SESSION_CLIENT_CLOSED : SESSION_ESTABLISHED;
}

static __always_inline __u8 next_tcp_state(__u8 state, const struct packet *pkt, bool from_client) {
  __u8 closed = from_client ? SESSION_CLIENT_CLOSED : SESSION_SERVER_CLOSED;
  /* A blind RST is ignored by both ends (RFC 5961): packets of both sides after it show that they go on. */
  if (pkt->tcp_flags & TCP_RST) return state == SESSION_CLOSED ? state : SESSION_RESET;
  if (!(pkt->tcp_flags & (TCP_SYN | TCP_ACK))) return state; /* its receiver takes nothing from it */
  if (pkt->tcp_flags & TCP_FIN && !is_reset(state)) {
    __u8 by_other = from_client ? SESSION_SERVER_CLOSED : SESSION_CLIENT_CLOSED;
    return state == by_other || state == SESSION_CLOSED ? SESSION_CLOSED : closed;
  }
  if (from_client && pkt->tcp_flags & TCP_SYN) return is_reset(state) ? SESSION_OPENING : state;
  /* The server has taken the client's SYN for a new connection. */
  if (pkt->tcp_flags & TCP_SYN && (state == SESSION_CLIENT_CLOSED || state == SESSION_SERVER_CLOSED))
    return SESSION_ANSWERED;
  if (state == SESSION_OPENING || state == SESSION_ANSWERED)
    return from_client ? SESSION_ESTABLISHED : SESSION_ANSWERED;
  if (!is_reset(state)) return state;
  if (state == (from_client ? SESSION_RESET_SERVER : SESSION_RESET_CLIENT))
    return pkt->tcp_flags & TCP_FIN ? closed : SESSION_ESTABLISHED;
  return from_client ? SESSION_RESET_CLIENT : SESSION_RESET_SERVER;
}

static __always_inline __u8 next_state(const struct session *session, const struct packet *pkt,
                                       bool from_client, __u32 now) {
  __u8 state = session->state;
  if (pkt->tuple.proto == PROTO_TCP) return next_tcp_state(state, pkt, from_client);
  if (state == SESSION_OPENING) return from_client ? state : SESSION_ANSWERED;
  return state == SESSION_ANSWERED && session->last_seen != now ? SESSION_ESTABLISHED : state;
}

/* --- backends --- */

static __always_inline enum membership backend_membership(const struct session *session, __u8 proto,
                                                          struct service_head *head) {
  struct service_key key = {
      .vip = session->front.server, .vport = session->front.server_port, .proto = proto};
  __u16 counter;
  return membership_of(&key, session->back.server, session->back.server_port, head, &counter);
}

/*
 * Whether a live session keeps this packet of its client. A SYN on a connection that is in use goes to its
 * backend, which knows what to make of it (RFC 5961, section 4); after an RST too, which may have been forged
 * as well. UDP and ICMP have no opening, so each request asks for a backend that still is the service's; that
 * is looked up only if some backend has been removed since it last was.
 */
static __always_inline bool continues_session(struct session *session, const struct packet *pkt) {
  __u8 proto = pkt->tuple.proto;
  bool opens = proto == PROTO_TCP && is_syn(pkt);
  if (proto == PROTO_TCP && !opens) return true;
  if (opens && (session->state == SESSION_CLOSED || session->state == SESSION_ENDED)) {
    decided(SESSION_CLOSED);
    return false;
  }
  if (session->flags & SESSION_FLAG_DIRECT) return true;
  bool must_accept = opens && is_reset(session->state);
  __u32 zero = 0;
  __u32 *count = removals.lookup(&zero);
  if (!count) return false;
  __u32 removed = *count; /* read before looking: what goes meanwhile is noticed next time */
  if (!opens && session->removals == removed) return true;
  enum membership membership = backend_membership(session, proto, &pkt->scratch->head);
  if (membership == NOT_A_MEMBER || (must_accept && membership == MEMBER_DRAINING)) {
    decided(BACKEND_GONE, session->back.server, session->back.server_port);
    return false;
  }
  if (!opens && membership != MEMBERSHIP_CHANGED) session->removals = removed; /* else ask again next time */
  return true;
}
