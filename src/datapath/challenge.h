/*
 * SYNs on connections in use whose backend is gone. One may be forged: then the backend answers with a
 * challenge ACK, and the connection goes on (RFC 5961, section 4.2). Or the client has lost the connection
 * and begins anew: then the backend has lost it as well, or is silent, and a later SYN opens a new session.
 * The client must not be told of what comes from there meanwhile, or it would give up.
 */

/* A backend that is silent for so long is left: for more than one second. */
#define CHALLENGE_TICKS 2
/* A client that begins anew gives up after some two minutes: an older SYN was none of its. */
#define CHALLENGE_TIMEOUT 130

static __always_inline bool is_challenged(const struct session *session, const struct lookup *found,
                                          __u8 proto, __u32 now) {
  return proto == PROTO_TCP && is_confirmed(found, session) && session->challenged &&
         now - session->challenged <= CHALLENGE_TIMEOUT;
}

/*
 * Whether this packet is a SYN for a backend that is gone. It counts as the first one only after a silence:
 * a server that has just answered another forged segment does not answer the next one (RFC 5961, section 7).
 */
static __always_inline bool challenges_backend(struct session *session, const struct lookup *found,
                                               const struct packet *pkt, __u32 now) {
  if (!is_syn(pkt) || !is_in_use(session->state) || !is_confirmed(found, session)) return false;
  if (!is_challenged(session, found, PROTO_TCP, now)) {
    bool is_idle = (__s32)(now - session->last_seen) >= CHALLENGE_TICKS;
    session->challenged = is_idle ? now : 0;
  } else if (now - session->challenged >= CHALLENGE_TICKS) {
    return false;
  }
  decided(CHALLENGE);
  return true;
}

/* Whether a server that is challenged says that it knows of no connection: by a reset, or a SYN-ACK. */
static __always_inline bool has_lost_connection(const struct packet *pkt) {
  return pkt->tcp_flags & (TCP_SYN | TCP_RST);
}
