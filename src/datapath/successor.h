/*
 * A SYN on a connection in use, whose backend gets no new ones, is forged, or its client begins anew. It
 * opens a new session with another backend, the successor, which stands in `openings`. The old one stays in
 * `clients` and keeps the client's other packets. When the client acknowledges the new backend's SYN,
 * promote() puts the successor in its place. Whoever has forged the SYN has to guess 32 bits for that.
 */

/* For a SYN that leaves `session`: whether that stays until its successor is confirmed, and is marked. */
static __always_inline bool keep_old_session(const struct session *session, const struct lookup *found,
                                             const struct packet *pkt) {
  if (!is_syn(pkt) || !found->entry || found->table != TABLE_CLIENTS || found->expired) return false;
  if (session->state == SESSION_CLOSED || session->state == SESSION_ENDED) return false;
  if (!DRY_RUN && is_entry_of(found->entry, session)) found->entry->flags |= SESSION_FLAG_CONTESTED;
  return true;
}

/* Whether a packet of the client answers one of the successor's backend: it acknowledges the SYN; or it is an
 * RST that acknowledges nothing, by which a client that has not sent the first SYN lets the backend forget
 * that (RFC 9293, section 3.10.7.3). */
static __always_inline bool answers_successor(const struct packet *pkt, const struct session *successor) {
  if (pkt->tcp_flags & TCP_SYN) return false;
  if (!(pkt->tcp_flags & TCP_ACK))
    return pkt->tcp_flags & TCP_RST && successor->state >= SESSION_ANSWERED &&
           successor->state < SESSION_CLOSED;
  __u32 number = pkt->scratch->numbers.acknowledged;
  return successor->server_sequence && successor->server_sequence == (number ? number : 1);
}

/* For one that has lost its backend as well. promote() may just have given it the place. */
static __always_inline void remove_successor(const struct session *session, const struct lookup *found) {
  if (is_entry_of(session_at(found->place), session)) free_place(found->place, session);
  remove_flow(answer_of(session, PROTO_TCP), session);
}

/* Turns to the successor when this packet of the client is for it. */
static __always_inline void find_successor(const struct packet *pkt, struct session *session,
                                           struct lookup *found, __u32 now) {
  if (found->changed || found->table != TABLE_CLIENTS || !(session->flags & SESSION_FLAG_CONTESTED)) return;
  struct client_key key = client_key_of_session(session, PROTO_TCP);
  struct opening opening = find_opening(&key);
  struct session *entry = opening.entry;
  if (!entry) return;
  found->place = hide_from_verifier(opening.place, now);
  if (expired(entry, PROTO_TCP, now)) return free_place(found->place, session);
  if (!same_flow(&entry->front, &session->front)) return;
  if (!is_syn(pkt) && !answers_successor(pkt, entry)) return;
  found->entry = entry;
  found->table = TABLE_OPENINGS;
  found->is_successor = true;
  struct flow front = session->front;
  found->changed = !copy_session(entry, session) || !same_flow(&session->front, &front);
}
