/*
 * Where sessions are kept.
 *
 * clients   by client (address, port, protocol): one entry serves both directions, because requests come from
 *           there and answers go there. An established packet costs one lookup of an 8-byte key.
 * openings  the same for sessions that are not confirmed: those without an answer, and in TCP also those
 *           whose client has not acknowledged it, because a server answers forged packets, too. (conntrack
 *           calls such connections not ASSURED; its own "unconfirmed" is something else.) Confirmed sessions
 *           move to `clients`, so a flood cannot evict them. A client may have one session here and one there
 *           (successor.h).
 *
 * flows     by the packet's own addresses and ports, for the exceptions: both directions of another session
 *           of the same client port (one "beside others"); answers to a client that the backend sees under
 *           another address or port (src-ip-rewrite, hairpin, replaced source port); late answers of a
 *           backend that a UDP or ICMP session has left.
 *
 * promote() adds to `clients`, then removes from `openings`. So whoever looks in both begins with `openings`,
 * or looks in `clients` again: a session that is moved meanwhile is found.
 *
 * The kernel evicts from `openings` alone. In the others, sessions that are over (retire.h) or not confirmed
 * (unconfirmed.h) make room for others, and the control plane makes room (SessionReaper.h).
 */

#ifndef EEXIST
#define EEXIST 17
#endif

enum table { TABLE_NONE, TABLE_CLIENTS, TABLE_OPENINGS, TABLE_FLOWS };

/* The result of a lookup. The session itself is copied out of the entry. */
struct lookup {
  struct session *entry; /* null: there is none */
  __u8 table;            /* enum table, of the entry */
  bool from_client;      /* the client, not the server, sent the packet */
  bool client_port_free; /* no session has this client port, for certain */
  bool expired;          /* filled in by the caller */
  __u32 place;           /* of what the client has in `openings`, or NO_PLACE */
  bool is_successor;     /* of another session, see successor.h */
  bool keeps_old;        /* if a session is opened, it is one; filled in by the caller */
  bool changed;          /* an entry was overwritten while it was read */
};

static __always_inline struct client_key client_key_of(const struct flow_key *tuple) {
  bool is_frontend = tuple->side == SIDE_FRONTEND;
  struct client_key key = {
      .ip = is_frontend ? hide_from_compiler(tuple->saddr) : hide_from_compiler(tuple->daddr),
      .port = is_frontend ? hide_from_compiler(tuple->sport) : hide_from_compiler(tuple->dport),
      .proto = tuple->proto,
  };
  return key;
}

static __always_inline bool matches(const struct session *session, struct flow_key *tuple, bool from_client) {
  struct flow flow = flow_of(tuple, from_client);
  return same_flow(from_client ? &session->front : &session->back, &flow);
}

/* --- hints: the tick in which an entry in `flows` of a client with this hash was last used, or 0 --- */

static __always_inline __u32 *flow_hint(struct client_key *key) {
  __u32 index = endpoint_hash(key->ip, key->port, key->proto) % FLOW_HINTS;
  return flow_hints.lookup(&index);
}

/* Asks for the timeouts of now: they may have been raised since. */
static __always_inline bool may_have_flows(struct client_key *key, __u32 now) {
  __u32 *last_used = flow_hint(key);
  if (!last_used || !*last_used) return false;
  __u32 zero = 0;
  struct settings *current = settings.lookup(&zero);
  __s32 idle = now - *last_used;
  return !current || idle <= 0 || (__u32)idle <= current->longest_timeout;
}

static __always_inline void hint_flow(const struct flow_key *tuple, __u32 now) {
  struct client_key key = client_key_of(tuple);
  __u32 *last_used = flow_hint(&key);
  if (last_used && !DRY_RUN) *last_used = now | 1; /* 0 is for "never" */
}

/* --- lookup --- */

/* Whether there may be a service or backend at the server's end: the destination of a packet from a FRONTEND
 * port, the source of one from the BACKEND port. */
static __always_inline bool may_involve_server(struct flow_key *tuple) {
  bool is_frontend = tuple->side == SIDE_FRONTEND;
  __be32 ip = is_frontend ? hide_from_compiler(tuple->daddr) : hide_from_compiler(tuple->saddr);
  __be16 port = is_frontend ? hide_from_compiler(tuple->dport) : hide_from_compiler(tuple->sport);
  return may_be_known(ip, port, tuple->proto);
}

/* Looks for the session of a packet and copies it to `session`. `begins`: most likely there is none yet,
 * so both tables by client are looked into anyhow. */
static __always_inline void find_session(struct flow_key *tuple, bool begins, __u32 now,
                                         struct session *session, struct lookup *found) {
  struct client_key key = client_key_of(tuple);
  bool is_frontend = tuple->side == SIDE_FRONTEND;
  found->from_client = is_frontend;
  found->place = hide_from_verifier(begins ? find_opening(&key).place : NO_PLACE, now);
  found->table = TABLE_CLIENTS;
  found->entry = clients.lookup(&key);
  found->client_port_free = !found->entry;
  if (found->entry) {
    found->changed = !copy_session(found->entry, session);
    if (found->changed || matches(session, tuple, is_frontend)) return;
  }
  if (may_have_flows(&key, now)) {
    found->client_port_free = false;
    found->table = TABLE_FLOWS;
    found->entry = flows.lookup(tuple);
    if (found->entry) {
      found->changed = !copy_session(found->entry, session);
      found->from_client = !(session->flags & SESSION_FLAG_FROM_SERVER);
      if (found->changed) return;
      if (matches(session, tuple, found->from_client) && !expired(session, tuple->proto, now)) return;
    }
  }
  found->from_client = is_frontend;
  found->table = TABLE_OPENINGS;
  bool looks = !begins && may_involve_server(tuple);
  if (looks) found->place = hide_from_verifier(find_opening(&key).place, now);
  found->entry = session_at(found->place);
  if (looks && !found->entry) {
    found->table = TABLE_CLIENTS;
    found->entry = clients.lookup(&key);
  }
  if (!found->entry) return;
  found->client_port_free = false;
  found->changed = !copy_session(found->entry, session);
  if (!found->changed && !matches(session, tuple, is_frontend)) found->entry = 0;
}

/* --- keeping sessions alive --- */

static __always_inline void write_state(struct session *entry, const struct session *session) {
  if (DRY_RUN) return;
  entry->last_seen = session->last_seen;
  entry->removals = session->removals; /* or its server_sequence */
  entry->port_generation = session->port_generation;
  entry->port = session->port;
  entry->state = session->state;
  entry->place_number = session->place_number;
}

static __always_inline __u8 flags_of_entry(__u8 flags, bool from_client) {
  return from_client ? flags & ~SESSION_FLAG_FROM_SERVER : flags | SESSION_FLAG_FROM_SERVER;
}

/* Stores or renews the entry of one direction. */
static __always_inline void store_flow(struct flow_key *tuple, struct session *session, bool from_client) {
  __u8 flags = session->flags;
  session->flags = flags_of_entry(flags, from_client);
  hint_flow(tuple, session->last_seen);
  flows.update(tuple, session);
  session->flags = flags;
}

/* How far a client's acknowledgement may be from the segment of the server that is remembered: behind it,
 * when segments overtake each other; ahead, by its data. Of forged ones, one in 16,384 fits. */
#define ACK_WINDOW (1 << 17)

static __always_inline bool has_tcp_ack(const struct packet *pkt) {
  return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK;
}

/*
 * Whether this packet shows that both sides know of the session: an answer; in TCP, that the client has seen
 * one. Servers answer forged packets as well, but whoever forges the next one must know where the server's
 * sequence numbers are. Without ACK a segment shows nothing: its receiver takes nothing from it (RFC 9293,
 * section 3.10.7.4). A session with entries in `flows` that has no place was confirmed before: `clients` may
 * have had no room for it. `session` is as it was before the packet.
 */
static __always_inline bool confirms_session(const struct session *session, const struct packet *pkt,
                                             bool from_client) {
  if (pkt->tuple.proto != PROTO_TCP) return !from_client;
  if (!from_client || !has_tcp_ack(pkt)) return false;
  if (!session->place_number && !backend_sees_client(session)) return true;
  __u32 ahead = pkt->scratch->numbers.acknowledged - session->server_sequence;
  return session->server_sequence && ahead + ACK_WINDOW < 2 * ACK_WINDOW;
}

/*
 * Remembers a segment of the server until the session is confirmed, once a tick: acknowledgements of a client
 * far away pass it later, one after the other. One that they have left behind is forgotten. Returns whether
 * anything changes.
 */
static __always_inline bool follow_server(struct session *session, const struct lookup *found,
                                          const struct packet *pkt, __u32 now) {
  bool is_confirmed = found->table != TABLE_OPENINGS && !session->place_number;
  if (pkt->tuple.proto != PROTO_TCP || is_confirmed || pkt->tcp_flags & TCP_RST) return false;
  __u32 before = session->server_sequence;
  if (found->from_client) {
    __s32 ahead = pkt->scratch->numbers.acknowledged - before;
    if (has_tcp_ack(pkt) && ahead >= ACK_WINDOW) session->server_sequence = 0;
  } else if (!before || session->last_seen != now || pkt->tcp_flags & TCP_SYN) {
    __u32 sequence = pkt->scratch->numbers.sequence + !!(pkt->tcp_flags & TCP_SYN);
    session->server_sequence = sequence ? sequence : 1;
  }
  return session->server_sequence != before;
}

/* Moves a confirmed session to `clients`, into the place of one that it succeeds; without room there it stays
 * in `openings`. */
static __always_inline void promote(struct session *session, __u32 place, const struct packet *pkt) {
  __u8 proto = pkt->tuple.proto;
  struct client_key key = client_key_of_session(session, proto);
  session->flags = flags_of_entry(session->flags, true);
  struct session *entry = proto == PROTO_TCP ? clients.lookup(&key) : 0, *old = &pkt->scratch->old;
  bool succeeds = entry && !is_entry_of(entry, session) && copy_session(entry, old) &&
                  same_flow(&old->front, &session->front);
  if (succeeds) remove_flow(answer_of(old, proto), old);
  int failed = succeeds ? clients.update(&key, session) : clients.insert(&key, session);
  if (!failed) {
    if (!succeeds) count_change(CHANGE_CLIENT_ADDED);
    free_place(place, session);
  }
  if (failed && failed != -EEXIST) count_event(EVENT_NOT_PROMOTED);
}

/*
 * Keeps the entry for the other direction alive, or makes it again if the control plane has removed it: of a
 * request, that of the answers in `flows`; of an answer, the client's, or that of the requests in `flows`.
 * Returns whether that is an entry in `openings`, and which.
 */
static __always_inline bool refresh_partner(struct session *session, __u8 proto, bool from_client,
                                            __u32 *place) {
  struct flow_key other = from_client ? answer_of(session, proto) : request_of(session, proto);
  struct client_key key = client_key_of_session(session, proto);
  bool is_in_openings = false;
  struct session *entry = from_client ? 0 : clients.lookup(&key);
  if (!from_client && !is_entry_of(entry, session)) {
    struct opening opening = find_opening(&key);
    entry = opening.entry;
    *place = opening.place;
    is_in_openings = is_entry_of(entry, session);
    if (!entry) entry = clients.lookup(&key);
  }
  if (!entry || !same_flow(&entry->front, &session->front)) {
    entry = flows.lookup(&other);
    if (!entry && session->state < SESSION_CLIENT_CLOSED) /* neither side has closed */
      store_flow(&other, session, !from_client);
    if (!entry) return false;
    hint_flow(&other, session->last_seen);
  }
  /* The client has opened a new session meanwhile. */
  if (entry->check != session->check) return false;
  /* The control plane ends one entry after the other: what it has ended stays so. */
  if (entry->state != SESSION_ENDED) write_state(entry, session);
  return is_in_openings;
}

/*
 * Notes where the client is: at the port that has its address; if none has, where this packet came in. So
 * nobody draws another client's answers to a port of its own. Returns whether the client was elsewhere.
 */
static __always_inline bool locate_client(struct session *session, const struct port *in, __u16 in_index) {
  __u32 own = in->multi ? frontend_port_of(session->front.client) : NO_PORT;
  bool is_elsewhere = own != NO_PORT && own != in_index;
  __u32 generation = is_elsewhere ? port_at(own).generation : in->generation;
  bool moves = session->port_generation != generation;
  session->port = is_elsewhere ? own : in_index;
  session->port_generation = generation;
  return moves;
}

/*
 * Notes that the session lives, and where its client is. Writes once a tick, when the state or the place
 * changes, and when the session is confirmed. A repeated RST does not keep it (RFC 7857, section 7.1). The
 * entry's memory may be another session's by now, after lookups in other tables: nothing is written there
 * then.
 */
static __always_inline void refresh(struct session *session, const struct lookup *found,
                                    const struct packet *pkt, __u32 now, const struct port *in,
                                    __u16 in_index) {
  __u8 proto = pkt->tuple.proto;
  __u8 state = hide_from_verifier(next_state(session, pkt, found->from_client, now), now);
  bool confirms = confirms_session(session, pkt, found->from_client);
  bool promotes = found->table == TABLE_OPENINGS && confirms;
  bool leaves_place = session->place_number && confirms;
  bool moves = found->from_client && session->port_generation != in->generation &&
               locate_client(session, in, in_index);
  bool follows = follow_server(session, found, pkt, now);
  bool is_known = (session->last_seen == now && !moves && !follows) || pkt->tcp_flags & TCP_RST;
  bool changes = session->state != state;
  if (is_known && !changes && !promotes && !leaves_place) return;
  if (confirms) session->place_number = 0;
  session->last_seen = now;
  session->state = state;
  if (is_entry_of(found->entry, session)) write_state(found->entry, session);
  if (found->table == TABLE_FLOWS) hint_flow(&pkt->tuple, now);
  __u32 place = found->place;
  if (found->table == TABLE_FLOWS || !backend_sees_client(session))
    promotes |= refresh_partner(session, proto, found->from_client, &place) && confirms;
  if (promotes) promote(session, place, pkt);
  if (retires_in(state, proto) && (changes || promotes)) retire(session, proto, now);
}

/* --- new sessions --- */

/* Removes all entries of a session, and none of another one. */
static __always_inline void remove_session(const struct session *session, __u8 proto) {
  struct client_key key = client_key_of_session(session, proto);
  struct opening opening = find_opening(&key);
  if (is_entry_of(opening.entry, session)) free_place(opening.place, session);
  if (is_entry_of(clients.lookup(&key), session)) remove_client(&key);
  remove_flow(request_of(session, proto), session);
  remove_flow(answer_of(session, proto), session);
}

/*
 * For a packet that gets no session though `found` has one of its flow that is over. When it begins a
 * connection, nothing may be left of that one: it would take the packets after the SYN.
 */
static __always_inline void forget_session(const struct packet *pkt, const struct session *session) {
  if (pkt->tuple.proto == PROTO_TCP && is_syn(pkt)) remove_session(session, PROTO_TCP);
}

/* Whether an entry that a lookup has found, or null, is one of another client's flow. */
static __always_inline bool is_of_another(const struct session *entry, const struct session *session) {
  return entry && !same_flow(&entry->front, &session->front);
}

/* Whether `old` is another session whose answers look like `answer`. */
static __always_inline bool collides(const struct session *old, struct flow_key *answer,
                                     const struct session *session) {
  return is_of_another(old, session) && matches(old, answer, answer->side == SIDE_FRONTEND);
}

/* Whether packets like `answer` can belong to a new session. Removes the entry by which a session that gives
 * way would take them; its other entry stays until it times out. */
static __always_inline bool make_way(struct flow_key *answer, const struct session *session, bool last) {
  struct client_key key = client_key_of(answer);
  struct opening opening = find_opening(&key);
  struct session *old = opening.entry;
  if (collides(old, answer, session)) {
    if (!is_replaceable(old, session, answer->proto, last)) return false;
    free_place(opening.place, old);
  }
  old = clients.lookup(&key);
  if (collides(old, answer, session)) {
    if (!is_replaceable(old, session, answer->proto, last)) return false;
    remove_client(&key);
  }
  old = flows.lookup(answer);
  if (!is_of_another(old, session)) return true;
  if (!is_replaceable(old, session, answer->proto, last)) return false;
  flows.delete(answer);
  return true;
}

/* Whether another session has an entry that takes packets like `answer`: in `flows`; by client. */
static __always_inline bool is_taken_in_flows(struct flow_key *answer, const struct session *session) {
  return is_of_another(flows.lookup(answer), session);
}

static __always_inline bool is_taken_by_client(struct flow_key *answer, const struct session *session) {
  struct client_key key = client_key_of(answer);
  return collides(find_opening(&key).entry, answer, session) ||
         collides(clients.lookup(&key), answer, session);
}

static __always_inline bool is_with_server(const struct session *old, const struct flow_key *answer) {
  return old && old->back.server == answer->saddr && old->back.server_port == answer->sport;
}

/* False when a session has this port with this server. Not exact for hairpin: make_way() decides. */
static __always_inline bool is_unused(struct flow_key *answer) {
  struct client_key key = client_key_of(answer);
  return !flows.lookup(answer) && !is_with_server(find_opening(&key).entry, answer) &&
         !is_with_server(clients.lookup(&key), answer);
}

/* Whether a session takes packets like `answer`. */
static __always_inline bool has_live_session(struct flow_key *answer, __u32 now) {
  struct client_key key = client_key_of(answer);
  struct session *entry = find_opening(&key).entry;
  if (!entry || !matches(entry, answer, false)) entry = clients.lookup(&key);
  if (!entry || !matches(entry, answer, false)) entry = flows.lookup(answer);
  return entry && !expired(entry, answer->proto, now);
}

enum client_entry { CLIENT_ENTRY_ADDED, CLIENT_ENTRY_REPLACED, CLIENT_ENTRY_IN_USE, CLIENT_ENTRY_BUSY };

/* The entry for the client: in `openings`, unless an entry in `clients` is to be replaced now. `is_free`:
 * there is none. Where that one has to stay, and this one finds no place in `openings`, it cannot be stored.
 */
static __always_inline enum client_entry store_client_entry(struct session *session, __u8 proto, bool is_free,
                                                            const struct lookup *found, __u32 *place) {
  struct client_key key = client_key_of_session(session, proto);
  struct opening opening = {};
  struct session *old = 0;
  if (!is_free && !found->keeps_old) {
    opening = find_opening(&key);
    old = clients.lookup(&key);
  }
  if (opening.entry && !is_replaceable(opening.entry, session, proto, true)) return CLIENT_ENTRY_IN_USE;
  if (old && !is_replaceable(old, session, proto, true)) return CLIENT_ENTRY_IN_USE;
  if (old) {
    if (opening.entry) free_place(opening.place, session); /* its successor */
    return clients.update(&key, session) ? CLIENT_ENTRY_BUSY : CLIENT_ENTRY_REPLACED;
  }
  *place = store_opening(&key, session, !found->keeps_old);
  if (*place != NO_PLACE) return CLIENT_ENTRY_ADDED;
  return found->keeps_old ? CLIENT_ENTRY_BUSY : CLIENT_ENTRY_IN_USE;
}

/* Stores one direction of a new session in `flows`: 0, -EEXIST when another CPU was faster, or why there is
 * no room. */
static __always_inline int claim_flow(struct flow_key *tuple, struct session *session, bool from_client) {
  __u8 flags = session->flags;
  session->flags = flags_of_entry(flags, from_client);
  hint_flow(tuple, session->last_seen);
  struct session *old = flows.lookup(tuple);
  int failed = old && is_replaceable(old, session, tuple->proto, true) ? flows.update(tuple, session)
                                                                       : flows.insert(tuple, session);
  session->flags = flags;
  return failed;
}
