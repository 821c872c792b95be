/*
 * What a session is: how its packets look in either direction, what they become, in which state it is, and
 * when it is over. Where sessions are kept is the business of session_table.h.
 */

/* Idle timeouts in ticks of about a second; in the order of magnitude of Linux's connection tracking. */
#define TIMEOUT_SHORTEST 30
#define TIMEOUT_TCP_OPENING 60
#define TIMEOUT_TCP_ESTABLISHED 86400
#define TIMEOUT_TCP_CLOSING 120
#define TIMEOUT_UDP_ESTABLISHED 180
#define TIMEOUT_OTHER TIMEOUT_SHORTEST

static __always_inline bool is_closing(const struct session *session) {
  return session->state >= SESSION_CLIENT_DONE;
}

static __always_inline __s32 idle_timeout(__u8 proto, const struct session *session) {
  if (proto == PROTO_TCP) {
    if (session->state == SESSION_ESTABLISHED) return TIMEOUT_TCP_ESTABLISHED;
    return is_closing(session) ? TIMEOUT_TCP_CLOSING : TIMEOUT_TCP_OPENING;
  }
  return proto == PROTO_UDP && session->state == SESSION_ESTABLISHED ? TIMEOUT_UDP_ESTABLISHED
                                                                     : TIMEOUT_OTHER;
}

static __always_inline bool expired(const struct session *session, __u8 proto, __u32 now) {
  __s32 idle = now - session->last_seen; /* negative when another CPU has seen the next tick already */
  return idle > TIMEOUT_SHORTEST && idle > idle_timeout(proto, session);
}

static __always_inline bool same_flow(const struct flow *a, const struct flow *b) {
  return a->near == b->near && a->far == b->far && a->near_port == b->near_port && a->far_port == b->far_port;
}

static __always_inline struct flow flow_of(const struct tuple *tuple) {
  bool from_near = tuple->side == SIDE_FRONTEND;
  struct flow flow = {
      .near = from_near ? tuple->saddr : tuple->daddr,
      .far = from_near ? tuple->daddr : tuple->saddr,
      .near_port = from_near ? tuple->sport : tuple->dport,
      .far_port = from_near ? tuple->dport : tuple->sport,
  };
  return flow;
}

static __always_inline const struct flow *flow_on(const struct session *session, __u8 side) {
  return side == SIDE_FRONTEND ? &session->front : &session->back;
}

/* Entries of the same direction may differ in what has been seen of it. */
static __always_inline bool same_session(const struct session *a, const struct session *b) {
  return same_flow(&a->front, &b->front) && same_flow(&a->back, &b->back);
}

/* What a packet of a session carries when it leaves. */
struct translation {
  __be32 saddr;
  __be32 daddr;
  __be16 sport;
  __be16 dport;
};

static __always_inline struct translation translation_of(const struct session *session, __u8 side) {
  bool from_near = side == SIDE_FRONTEND;
  struct translation to = {
      .saddr = from_near ? session->back.near : session->front.far,
      .daddr = from_near ? session->back.far : session->front.near,
      .sport = from_near ? session->back.near_port : session->front.far_port,
      .dport = from_near ? session->back.far_port : session->front.near_port,
  };
  return to;
}

/*
 * A pod that is client and backend in one sends requests and answers from the same side. Its answers have an
 * entry of their own, which reads as if they were requests.
 */
static __always_inline bool is_hairpin(const struct session *session) {
  return session->front.near == session->back.far;
}

static __always_inline struct flow swapped(const struct flow *flow) {
  struct flow other = {
      .near = flow->far, .far = flow->near, .near_port = flow->far_port, .far_port = flow->near_port};
  return other;
}

static __always_inline bool from_client(const struct session *session, __u8 side) {
  return side == SIDE_FRONTEND && !(session->flags & SESSION_MIRRORED);
}

static __always_inline bool is_opening(const struct packet *pkt) {
  return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
}

static __always_inline bool has_backend(struct session *session, __u8 proto) {
  __u32 zero = 0;
  __u32 *now = removals.lookup(&zero);
  if (!now) return false;
  __u32 count = *now; /* read before looking: what goes meanwhile is noticed next time */
  if (session->removals == count) return true;
  struct service_key key = {.vip = session->front.far, .vport = session->front.far_port, .proto = proto};
  if (membership_of(&key, session->back.far, session->back.far_port) == NOT_A_MEMBER) return false;
  session->removals = count;
  return true;
}

/*
 * Whether the client opens something new with this request: then neither a session left from an earlier use
 * of the tuple nor a removed backend may take it. UDP and ICMP have no opening, so for them each request asks
 * for a live backend.
 */
static __always_inline bool may_take(struct session *session, const struct packet *pkt) {
  if (!from_client(session, pkt->tuple.side)) return true;
  if (pkt->tuple.proto == PROTO_TCP) {
    if (!is_opening(pkt)) return true;
    if (session->state != SESSION_OPENING) return false;
  }
  return has_backend(session, pkt->tuple.proto);
}

static __always_inline __u8 first_state(const struct packet *pkt) {
  if (pkt->tuple.proto != PROTO_TCP || pkt->tcp_flags & TCP_SYN) return SESSION_OPENING;
  return pkt->tcp_flags & TCP_FIN ? SESSION_CLIENT_DONE : SESSION_ESTABLISHED;
}

static __always_inline __u8 next_state(const struct session *session, const struct packet *pkt, __u32 now) {
  bool request = from_client(session, pkt->tuple.side);
  __u8 state = session->state;
  if (pkt->tuple.proto != PROTO_TCP) {
    if (!request) return state == SESSION_OPENING ? SESSION_ANSWERED : state;
    return state == SESSION_ANSWERED && session->last_seen != now ? SESSION_ESTABLISHED : state;
  }
  if (pkt->tcp_flags & TCP_RST) return SESSION_CLOSED;
  if (pkt->tcp_flags & TCP_FIN) {
    __u8 done = request ? SESSION_CLIENT_DONE : SESSION_BACKEND_DONE;
    return is_closing(session) && state != done ? SESSION_CLOSED : done;
  }
  return state == SESSION_OPENING && request && !(pkt->tcp_flags & TCP_SYN) ? SESSION_ESTABLISHED : state;
}
