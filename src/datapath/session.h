/*
 * Sessions: one exact entry for each direction. A packet with a session needs no service lookup, whatever has
 * become of the service since. The two entries of a session are twins: each holds enough to find, or make
 * again, the other.
 */

/* Idle timeouts in ticks of about a second; in the order of magnitude of Linux's connection tracking. */
#define TIMEOUT_SHORTEST 30
#define TIMEOUT_TCP_OPENING 60
#define TIMEOUT_TCP_ESTABLISHED 86400
#define TIMEOUT_TCP_CLOSING 120
#define TIMEOUT_UDP_ESTABLISHED 180
#define TIMEOUT_OTHER TIMEOUT_SHORTEST

static __always_inline __s32 idle_timeout(__u8 proto, __u8 state) {
  if (proto == PROTO_TCP) {
    if (state == SESSION_ESTABLISHED) return TIMEOUT_TCP_ESTABLISHED;
    return state == SESSION_OPENING ? TIMEOUT_TCP_OPENING : TIMEOUT_TCP_CLOSING;
  }
  return proto == PROTO_UDP && state == SESSION_ESTABLISHED ? TIMEOUT_UDP_ESTABLISHED : TIMEOUT_OTHER;
}

static __always_inline bool expired(const struct session *session, __u8 proto, __u32 now) {
  __s32 idle = now - session->last_seen; /* negative when another CPU has seen the next tick already */
  return idle > TIMEOUT_SHORTEST && idle > idle_timeout(proto, session->state);
}

static __always_inline struct tuple twin_tuple(const struct session *session, __u8 proto) {
  struct tuple twin = {
      .saddr = session->daddr,
      .daddr = session->saddr,
      .sport = session->dport,
      .dport = session->sport,
      .proto = proto,
      .side = session->twin_side,
  };
  return twin;
}

/* Makes the other direction's entry: what undoes `session`, whose packets look like `tuple`. */
static __always_inline struct session twin_session(const struct session *session, const struct tuple *tuple,
                                                   __u16 out, __u32 port_generation) {
  struct session twin = {
      .saddr = tuple->daddr,
      .daddr = tuple->saddr,
      .sport = tuple->dport,
      .dport = tuple->sport,
      .last_seen = session->last_seen,
      .port_generation = port_generation,
      .out = out,
      .state = session->state,
      .twin_side = tuple->side,
      .service_port = session->service_port,
      .flags = session->flags ^ SESSION_FORWARD,
  };
  return twin;
}

static __always_inline bool is_twin_of(const struct session *session, const struct tuple *tuple) {
  return session->daddr == tuple->saddr && session->dport == tuple->sport && session->saddr == tuple->daddr &&
         session->sport == tuple->dport && session->twin_side == tuple->side;
}

static __always_inline struct backend_key backend_of(const struct tuple *forward,
                                                     const struct session *session) {
  struct backend_key key = {
      .service = {.vip = forward->daddr, .vport = session->service_port, .proto = forward->proto},
      .ip = session->daddr,
      .port = session->dport,
  };
  return key;
}

static __always_inline bool is_opening(const struct packet *pkt) {
  return (pkt->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/*
 * Whether the client opens something new with this packet: then neither a session left from an earlier use of
 * the tuple nor a removed backend may take it. UDP and ICMP have no opening, so for them each packet asks for
 * a live backend.
 */
static __always_inline bool still_valid(const struct packet *pkt, const struct session *session) {
  if (!(session->flags & SESSION_FORWARD)) return true;
  if (pkt->tuple.proto == PROTO_TCP) {
    if (!is_opening(pkt)) return true;
    if (session->state != SESSION_OPENING) return false;
  }
  struct backend_key key = backend_of(&pkt->tuple, session);
  return backends.lookup(&key) != 0;
}

/* The session of packets like `tuple`, unless its time is over. */
static __always_inline struct session *live_session(const struct tuple *tuple, __u32 now) {
  struct session *session = sessions.lookup((struct tuple *)tuple);
  return session && !expired(session, tuple->proto, now) ? session : 0;
}

static __always_inline struct session *find_session(const struct packet *pkt, __u32 now) {
  struct session *session = live_session(&pkt->tuple, now);
  return session && still_valid(pkt, session) ? session : 0;
}

static __always_inline __u8 first_state(const struct packet *pkt) {
  if (pkt->tuple.proto != PROTO_TCP || pkt->tcp_flags & TCP_SYN) return SESSION_OPENING;
  return pkt->tcp_flags & TCP_FIN ? SESSION_CLOSING : SESSION_ESTABLISHED;
}

static __always_inline __u8 next_state(const struct packet *pkt, const struct session *session) {
  bool forward = session->flags & SESSION_FORWARD;
  if (pkt->tuple.proto != PROTO_TCP) return forward ? session->state : SESSION_ESTABLISHED;
  if (pkt->tcp_flags & (TCP_FIN | TCP_RST)) return SESSION_CLOSING;
  if (session->state == SESSION_OPENING && forward && !(pkt->tcp_flags & TCP_SYN)) return SESSION_ESTABLISHED;
  return session->state;
}

/*
 * Notes that the session lives. Writes once a tick or when the state changes, not at each packet; then also
 * touches the twin, so that a one-way transfer does not let the silent direction expire or be evicted.
 */
static __always_inline void refresh(const struct packet *pkt, struct session *session, __u32 now, __u16 in,
                                    __u32 port_generation) {
  __u8 state = next_state(pkt, session);
  if (session->last_seen == now && session->state == state) return;
  session->last_seen = now;
  session->state = state;
  struct tuple key = twin_tuple(session, pkt->tuple.proto);
  struct session *twin = sessions.lookup(&key);
  if (!twin) {
    struct session made = twin_session(session, &pkt->tuple, in, port_generation);
    sessions.update(&key, &made);
  } else if (is_twin_of(twin, &pkt->tuple)) {
    twin->last_seen = now;
    twin->state = state;
  } /* else the client has reused its tuple for a newer session, which is none of this packet's business */
}
