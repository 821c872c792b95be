/*
 * Room for sessions that are over, or may be. Left to the kernel's LRU, they would stay until the table is
 * full of them, and then push out sessions that live but are idle. So their keys go around in a ring: each
 * newcomer takes the place of the oldest, whose entry is removed if nobody needs it any more, and left to the
 * LRU otherwise.
 */

/* Time for stragglers: what has been seen in this tick or the last stays. */
#define STRAGGLER_TICKS 2

static __always_inline bool retires_in(__u8 state) {
  return state == SESSION_CLOSED || state == SESSION_ANSWERED;
}

static __always_inline bool is_needed(const struct session *session, __u8 proto, __u32 now) {
  if (session->flags & SESSION_PASSED) return true;
  if ((__s32)(now - session->last_seen) < STRAGGLER_TICKS) return true;
  return !retires_in(session->state) && !expired(session, proto, now);
}

static __always_inline void retire(const struct session_key *key, __u32 now) {
  __u32 zero = 0;
  __u32 *next = retired_next.lookup(&zero);
  if (!next) return;
  /* Two CPUs may take the same place: then one entry more is left to the LRU. */
  __u32 index = (*next)++ % RETIRED_ENTRIES;
  struct session_key *place = retired.lookup(&index);
  if (!place) return;
  struct session_key oldest = *place;
  *place = *key;
  struct session *session = sessions.lookup(&oldest);
  if (session && !is_needed(session, oldest.proto, now)) sessions.delete(&oldest);
}
