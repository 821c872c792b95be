/* New sessions: which backend gets them, and under which source port. */

enum open_result {
  OPENED,
  NOT_A_SERVICE,
  NO_BACKEND,
  SOURCE_REFUSED,
  TABLE_CHANGED,
  NO_SOURCE_PORT,
  TABLE_BUSY
};

/* Fills both flows of a session for requests like `tuple`. */
static __always_inline enum open_result assign_backend(struct flow_key *tuple, struct service *prefetched,
                                                       __u32 hash, __u32 now, struct service_head *head,
                                                       struct session *session) {
  struct chosen chosen = {};
  enum choice choice = select_backend(tuple, prefetched, hash, head, &chosen);
  if (choice == CHOICE_NO_SERVICE) {
    decided(NO_SERVICE, tuple->daddr, tuple->dport);
    return NOT_A_SERVICE;
  }
  if (choice == CHOICE_NO_BACKEND) {
    decided(NO_BACKEND, tuple->daddr, tuple->dport);
    return NO_BACKEND;
  }
  if (choice == CHOICE_REFUSED) {
    decided(SOURCE_REFUSED, tuple->saddr, tuple->daddr, tuple->dport);
    return SOURCE_REFUSED;
  }
  if (choice == CHOICE_CHANGED) return TABLE_CHANGED;
  session->back.server = chosen.backend.ip;
  session->back.server_port = chosen.backend.port;
  session->counter = chosen.backend.flags >> BACKEND_COUNTER_SHIFT;
  session->front = flow_of(tuple, true);
  if (chosen.affinity &&
      recall_backend(session, tuple->proto, chosen.affinity, now, head) == MEMBERSHIP_CHANGED)
    return TABLE_CHANGED;
  if (!show_client(session)) return TABLE_CHANGED;
  session->back.client_port = session->front.client_port;
  session->flags = chosen.affinity ? SESSION_FLAG_AFFINITY : 0;
  return OPENED;
}

/*
 * Connections to a backend's own address have sessions, too. So an answer without session must belong to a
 * session of the service, and the later of two gets another source port when the backend could not tell a
 * direct connection from one through the service. To a backend that is removed, only such a later one has a
 * session.
 */
static __always_inline enum open_result assign_direct(const struct packet *pkt, __u32 now,
                                                      struct session *session) {
  const struct flow_key *tuple = &pkt->tuple;
  struct flow_key answer = {.saddr = tuple->daddr,
                            .daddr = tuple->saddr,
                            .sport = tuple->dport,
                            .dport = tuple->sport,
                            .proto = tuple->proto,
                            .side = SIDE_BACKEND};
  if (tuple->saddr == tuple->daddr) return NOT_A_SERVICE;
  if (!is_backend(tuple->daddr, tuple->dport, tuple->proto) && !has_live_session(&answer, now))
    return NOT_A_SERVICE;
  decided(DIRECT, tuple->daddr, tuple->dport);
  session->front = session->back = flow_of(tuple, true);
  session->flags = SESSION_FLAG_DIRECT;
  session->counter = NO_COUNTER;
  return OPENED;
}

/* With 30,000 of 64,512 ports in use, 15 others are all in use in 10 of a million cases. */
#define SOURCE_PORT_ATTEMPTS 16
#define FIRST_USER_PORT 1024

/* Another port of the same kind: servers may trust those below 1024. */
static __always_inline __be16 other_port(__be16 port, __u32 hash) {
  __u32 number = hash >> 16;
  if (bpf_ntohs(port) < FIRST_USER_PORT) return bpf_htons(1 + number % (FIRST_USER_PORT - 1));
  return bpf_htons(FIRST_USER_PORT + number % (65536 - FIRST_USER_PORT));
}

/* A source port with which the backend can tell the session from others of the same client. */
static __always_inline bool find_source_port(struct session *session, __u8 proto, __u32 hash) {
  struct flow_key answer = answer_of(session, proto);
  answer.side = hide_from_verifier(answer.side, hash);
  hash += session->last_seen; /* a packet that is sent again a second later tries other ports */
  /* First the client's own port; then the first other one that is unused, or the last one tried, if its
   * session is expired or closed. A loop, so that make_way() is there once. */
  LOOP for (int last = 0; last < 2; last++) {
    session->back.client_port = answer.dport;
    if (make_way(&answer, session, last)) return true;
    LOOP for (int attempt = 1; !last && attempt < SOURCE_PORT_ATTEMPTS; attempt++) {
      hash = hash * 0x9e3779b1 + 1;
      answer.dport = other_port(session->front.client_port, hash);
      if (is_unused(&answer)) break;
    }
  }
  return false;
}

/* Stores a new session. `is_free`: nobody has this client port, and the backend sees the client, so nothing
 * can collide. */
static __always_inline enum open_result store_entries(struct session *session, __u8 proto, __u32 hash,
                                                      bool is_free, const struct lookup *found) {
  if (!is_free && !find_source_port(session, proto, hash)) return NO_SOURCE_PORT;
  if (session->back.client_port != session->front.client_port)
    decided(SOURCE_PORT, session->front.client_port, session->back.client_port);
  session->check = session_check(session);
  struct flow_key request = request_of(session, proto), answer = answer_of(session, proto);
  struct client_key key = client_key_of_session(session, proto);
  session->place_number = backend_sees_client(session) ? 0 : new_place_number();
  __u32 place = NO_PLACE;
  enum client_entry entry = store_client_entry(session, proto, is_free, found, &place);
  if (entry == CLIENT_ENTRY_BUSY)
    return found->keeps_old ? TABLE_CHANGED : TABLE_BUSY; /* or by another CPU */
  bool by_client = entry != CLIENT_ENTRY_IN_USE;
  if (is_free && by_client && !may_have_flows(&key, session->last_seen)) return OPENED;
  if (by_client) flows.delete(&request); /* of an earlier session of this flow, which stood beside others */
  /* Another CPU may have stored a session with such answers since find_source_port(), by client or in
   * `flows`. Both look after they have stored, so at least one sees the other. */
  int failed;
  if (by_client && backend_sees_client(session)) {
    failed = is_taken_in_flows(&answer, session) ? -EEXIST : 0;
    if (!failed) flows.delete(&answer);
  } else {
    if (!session->place_number) session->place_number = new_place_number();
    take_place(session, &answer);
    failed = claim_flow(&answer, session, false);
    if (!failed && is_taken_by_client(&answer, session)) {
      remove_flow(answer, session);
      failed = -EEXIST;
    }
    if (!failed && !by_client) failed = claim_flow(&request, session, true);
    if (!failed && !by_client) {
      struct session *twin = find_opening(&key).entry;
      if (twin &&
          same_flow(&twin->front, &session->front)) { /* of the same packet, sent twice, on another CPU */
        remove_flow(request, session);
        remove_flow(answer, session);
        return is_entry_of(twin, session) ? OPENED : TABLE_CHANGED;
      }
    }
  }
  if (failed && by_client) { /* else the next packet would find a session without answers */
    entry == CLIENT_ENTRY_ADDED ? free_place(place, session) : remove_client(&key);
  }
  return !failed ? OPENED : failed == -EEXIST ? TABLE_CHANGED : TABLE_BUSY;
}

/* What becomes of late answers of the backend that a client's flow has left. */
static __always_inline void leave_old_backend(struct session *old, const struct lookup *found,
                                              const struct session *session, __u8 proto) {
  struct flow_key answer = answer_of(old, proto);
  /* Of TCP, the new backend and the old one must not both speak as the service. */
  if (proto == PROTO_TCP) {
    remove_flow(answer, old); /* it may be another session's since */
  } else if (!found->expired) {
    write_state(old, session);
    old->flags = session->flags;
    store_flow(&answer, old, false);
  }
}

/*
 * Stores a new session. `found`: where an older one of the same client flow is, `old`. With the same backend
 * its entry is used again.
 */
static __always_inline enum open_result store_session(struct session *session, const struct lookup *found,
                                                      struct session *old, __u8 proto, __u32 hash) {
  session->check = session_check(session);
  bool is_free = found->client_port_free && backend_sees_client(session); /* most sessions */
  const struct flow *back = &old->back;
  bool same_backend = found->entry && back->server == session->back.server &&
                      back->server_port == session->back.server_port && back->client == session->back.client;
  if (same_backend) session->back.client_port = back->client_port;
  struct flow_key answer = answer_of(session, proto);
  struct client_key key = client_key_of(&answer);
  if (same_backend && found->table != TABLE_FLOWS && is_entry_of(found->entry, session) &&
      backend_sees_client(session) && !may_have_flows(&key, session->last_seen)) {
    write_state(found->entry, session);
    if (DRY_RUN) return OPENED;
    if (found->entry->flags & SESSION_FLAG_CONTESTED) free_place(found->place, session);
    found->entry->counter = session->counter;
    found->entry->flags = session->flags;
    return OPENED;
  }
  bool leaves = hide_from_verifier(found->entry && !same_backend, hash);
  enum open_result outcome = store_entries(session, proto, hash, is_free, found);
  if (leaves && outcome == OPENED) leave_old_backend(old, found, session, proto);
  return outcome;
}

/*
 * Makes a session for a request. `outcome`: of assign_backend(). `old`: the session that the request
 * had before, if `found` has one.
 */
static __always_inline enum open_result open_session(const struct packet *pkt, enum open_result outcome,
                                                     const struct port *in, __u16 in_index, __u32 now,
                                                     const struct lookup *found, struct session *old,
                                                     __u32 hash, struct session *session) {
  __u8 proto = pkt->tuple.proto;
  if (proto == PROTO_ICMP && pkt->icmp_type != ICMP_ECHO_REQUEST) return NOT_A_SERVICE;
  if (outcome == NOT_A_SERVICE) outcome = assign_direct(pkt, now, session);
  if (outcome != OPENED) return outcome;
  if (found->keeps_old) decided(CONTESTED);
  session->last_seen = now;
  session->port = in_index;
  session->port_generation = in->generation;
  if (found->keeps_old) locate_client(session, in, in_index); /* a forger must not see the answer */
  session->state = initial_state(pkt);
  session->removals = 0; /* its next packet asks for the backend; in TCP: no server_sequence yet */
  session->place_number = 0;
  if (pkt->tcp_flags & TCP_RST) return OPENED; /* not stored: it ends a session that is unknown */
  outcome = store_session(session, found, old, proto, hash);
  if (outcome != OPENED) return outcome;
  decided(NEW_SESSION);
  count_event(EVENT_NEW_SESSION);
  if (proto == PROTO_TCP && !(pkt->tcp_flags & TCP_SYN)) count_change(CHANGE_RESUMED);
  count_new_session(session);
  if (session->flags & SESSION_FLAG_AFFINITY) remember_backend(session, proto);
  return OPENED;
}
