/*
 * A SYN on a connection in use, whose backend gets no new ones, is forged, or its client begins anew. It
 * opens a new session with another backend in `openings`: the successor. The old one stays in `clients` and
 * keeps all other packets of the client. When the client acknowledges the new backend's SYN, promote() puts
 * the successor in its place. Who has forged the SYN has to guess 32 bits for that.
 */

/* Whether a session that a SYN leaves stays until its successor is confirmed, which is noted in the session,
 * for good; or is itself a successor of one that stays, and is removed. */
static __always_inline bool is_contested(const struct session *session, const struct lookup *found,
                                         const struct packet *pkt) {
  if (!is_syn(pkt) || !found->entry || found->expired) return false;
  if (found->table == TABLE_OPENINGS) {
    struct client_key key = client_key_of_session(session, PROTO_TCP);
    struct session *old = clients.lookup(&key);
    if (!old || !same_flow(&old->front, &session->front)) return false;
    remove_opening(&key);
    return true;
  }
  if (found->table != TABLE_CLIENTS || session->state < SESSION_ESTABLISHED) return false;
  if (session->state == SESSION_CLOSED || session->state == SESSION_ENDED) return false;
  decided(CONTESTED);
  if (!DRY_RUN && is_entry_of(found->entry, session)) found->entry->flags |= SESSION_FLAG_CONTESTED;
  return true;
}

/* Turns to the successor when this packet of the client is for it: a SYN, or what confirms it. */
static __always_inline void find_successor(const struct packet *pkt, struct session *session,
                                           struct lookup *found, __u32 now) {
  if (found->table != TABLE_CLIENTS || !(session->flags & SESSION_FLAG_CONTESTED)) return;
  struct client_key key = client_key_of_session(session, PROTO_TCP);
  struct session *entry = openings.lookup(&key);
  if (!entry) return;
  if (expired(entry, PROTO_TCP, now)) return remove_opening(&key);
  if (!same_flow(&entry->front, &session->front)) return;
  bool confirms = has_tcp_ack(pkt) && entry->server_sequence == pkt->scratch->numbers.acknowledged;
  if (!confirms && !is_syn(pkt)) return;
  found->entry = entry;
  found->table = TABLE_OPENINGS;
  struct flow front = session->front;
  found->changed = !copy_session(entry, session) || !same_flow(&session->front, &front);
}
