/*
 * Where sessions are kept. The near end of a flow is the same on both sides, as long as the backend sees the
 * client as it is; so it alone is the key, one exact entry serves both directions, and a packet without
 * session costs one lookup. A second entry is needed
 * - for the answers, when the backend sees the client under another address or port, and
 * - when the near end is in use by another session (of the same client port through another VIP, say): then
 * each direction is kept under its whole flow, and found when the entry at the near end has turned out to be
 * another's. Where nothing is found at the near end there is nothing under whole flows either: all lookups of
 * those pass by the entry at the near end, which keeps the kernel from evicting it before them.
 */

static __always_inline struct session_key near_end(const struct flow *flow, __u8 proto) {
  struct session_key key = {.flow = {.near = flow->near, .near_port = flow->near_port}, .proto = proto};
  return key;
}

static __always_inline struct session_key whole_flow(const struct flow *flow, __u8 proto, __u8 side) {
  struct session_key key = {.flow = *flow, .proto = proto, .side = side};
  return key;
}

static __always_inline bool serves(const struct session *session, const struct flow *flow, __u8 side) {
  return same_flow(flow_on(session, side), flow) &&
         !(side == SIDE_BACKEND && (session->flags & SESSION_RELEASED));
}

/* Returns the session of a flow. `key` becomes that of its entry, or one that is free for it. */
static __always_inline struct session *find_entry(const struct flow *flow, __u8 proto, __u8 side,
                                                  struct session_key *key) {
  *key = near_end(flow, proto);
  struct session *session = sessions.lookup(key);
  if (!session || serves(session, flow, side)) return session;
  if (!(session->flags & SESSION_PASSED)) session->flags |= SESSION_PASSED;
  *key = whole_flow(flow, proto, side);
  session = sessions.lookup(key);
  return session && serves(session, flow, side) ? session : 0;
}

/* Whether the backend sees the client as it is. */
static __always_inline bool has_one_end(const struct session *session) {
  return session->front.near == session->back.near && session->front.near_port == session->back.near_port;
}

/* Whether both directions find the same entry: the one with `key`. */
static __always_inline bool serves_both(const struct session *session, const struct session_key *key) {
  return key->side == SIDE_NONE && has_one_end(session);
}

/* Turns the entry for one direction of a session into that for the other; returns the side of that one. */
static __always_inline __u8 turn(struct session *session, __u8 side) {
  if (!is_hairpin(session)) return side == SIDE_FRONTEND ? SIDE_BACKEND : SIDE_FRONTEND;
  struct flow front = session->front;
  session->front = swapped(&session->back);
  session->back = swapped(&front);
  session->flags ^= SESSION_MIRRORED;
  return SIDE_FRONTEND;
}

/* Keeps the other entry of a session that has two alive, or makes it again if the kernel has evicted it. */
static __always_inline void refresh_other(const struct session *session, __u8 proto, __u8 side,
                                          bool retires) {
  struct session other = *session;
  side = turn(&other, side);
  struct flow flow = *flow_on(&other, side);
  struct session_key key;
  struct session *entry = find_entry(&flow, proto, side, &key);
  if (!entry) {
    if (!is_closing(session)) sessions.update(&key, &other); /* what has been released stays so */
  } else if (same_session(entry, &other)) {
    entry->last_seen = other.last_seen;
    entry->state = other.state;
    entry->port = other.port;
    entry->port_generation = other.port_generation;
    if (retires) retire(&key, other.last_seen);
  } /* else the client has reused its port for a newer session, which is none of this packet's business */
}

/* Notes that the session lives, and where its client is. Writes once a tick or when the state changes. */
static __always_inline void refresh(struct session *session, const struct session_key *key,
                                    const struct packet *pkt, __u32 now, const struct port *in,
                                    __u16 in_index) {
  __u8 state = next_state(session, pkt, now);
  if (session->last_seen == now && session->state == state) return;
  bool retires = retires_in(state) && session->state != state;
  session->last_seen = now;
  session->state = state;
  if (from_client(session, pkt->tuple.side)) {
    session->port = in_index;
    session->port_generation = in->generation;
  }
  if (retires) retire(key, now);
  if (!serves_both(session, key)) refresh_other(session, pkt->tuple.proto, pkt->tuple.side, retires);
}

/*
 * Whether the flow that `answers`, the entry of a new session for them, is to serve belongs to another
 * session. One that has closed is kept only for stragglers and gives way; but the backend may remember it, so
 * only if it `must`.
 */
static __always_inline bool is_taken(const struct session *answers, __u8 proto, __u8 side, bool must) {
  struct session_key key;
  struct flow flow = *flow_on(answers, side);
  struct session *old = find_entry(&flow, proto, side, &key);
  if (!old || same_session(old, answers)) return false;
  return !expired(old, proto, answers->last_seen) && !(must && old->state == SESSION_CLOSED);
}

/* Stores one entry; `key` becomes its key. Fails when another CPU has just stored one for the same near end.
 */
static __always_inline bool store_entry(struct session *session, __u8 proto, __u8 side,
                                        struct session_key *key) {
  struct flow flow = *flow_on(session, side);
  *key = near_end(&flow, proto);
  struct session *old = sessions.lookup(key);
  if (!old) return sessions.insert(key, session) == 0;
  bool gives_way = same_flow(&old->front, &session->front) || old->state == SESSION_CLOSED ||
                   expired(old, proto, session->last_seen);
  if (gives_way)
    session->flags |= old->flags & SESSION_PASSED;
  else
    *key = whole_flow(&flow, proto, side);
  sessions.update(key, session);
  return true;
}

/* Stores a new session, whose entry for the answers is `answers`, which enter on `side`. */
static __always_inline bool store_session(struct session *session, struct session *answers, __u8 proto,
                                          __u8 side) {
  struct session_key key;
  if (!store_entry(answers, proto, side, &key)) return false;
  return serves_both(answers, &key) || store_entry(session, proto, SIDE_FRONTEND, &key);
}

/* The client has just left the backend of `old` for that of `session`, but answers may still be on their way.
 */
static __always_inline void keep_answers(struct session *old, const struct session *session, __u8 proto) {
  if (same_flow(&old->back, &session->back)) return;
  struct session_key answers = whole_flow(&old->back, proto, SIDE_BACKEND);
  sessions.update(&answers, old);
}
