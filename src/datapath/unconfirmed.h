/*
 * The kernel evicts nothing from `flows`. So the sessions there that are not confirmed share a number of
 * places, and a flood of packets that nobody answers takes no more than these. A new session looks at up to
 * four at random; when all are taken, it removes the session that was not seen for longest: an LRU by
 * sampling.
 */
#define PLACES_SAMPLED 4
#define PLACE_FREE (-1)

/* For how many ticks the session that has this place was not seen. */
static __always_inline __s32 idle_ticks(struct unconfirmed *place, __u32 now) {
  struct session *entry = flows.lookup(&place->answer);
  if (!entry || entry->place_number != place->number) return PLACE_FREE;
  __s32 idle = now - entry->last_seen;
  return idle < 0 ? 0 : idle;
}

/* Removes the session that had the place with this number when it was chosen: another CPU may have given it
 * to a new one since. One with the flows of the new session is replaced by it: its client's entry is the new
 * one's already. */
static __always_inline void remove_holder(struct unconfirmed *place, __u32 number,
                                          const struct session *session) {
  struct session *entry = flows.lookup(&place->answer);
  struct session holder;
  if (!entry || !copy_session(entry, &holder) || holder.place_number != number) return;
  if (holder.check != session->check) remove_session(&holder, place->answer.proto);
}

/* Most likely not that of an earlier session of the same flow. */
static __always_inline __u16 new_place_number(void) { return bpf_get_prandom_u32() | 1; }

/* Gives a place to a new session, just before its `answer` is stored in `flows`: a free one, or that of the
 * longest idle one of the sample, whose session is removed. */
static __always_inline void take_place(const struct session *session, const struct flow_key *answer) {
  if (DRY_RUN) return;
  __u32 random = bpf_get_prandom_u32(), chosen = 0, number = 0;
  __s32 longest = PLACE_FREE;
  LOOP for (int sample = 0; sample < PLACES_SAMPLED; sample++) {
    __u32 index = random % UNCONFIRMED_ENTRIES;
    struct unconfirmed *place = unconfirmed.lookup(&index);
    if (!place) return;
    __u32 holder = place->number;
    __s32 idle = idle_ticks(place, session->last_seen);
    if (idle == PLACE_FREE || idle > longest) {
      chosen = index;
      number = idle == PLACE_FREE ? 0 : holder;
    }
    if (idle == PLACE_FREE) break;
    longest = idle > longest ? idle : longest;
    random = random * 0x9e3779b1 + 1;
  }
  struct unconfirmed *place = unconfirmed.lookup(&chosen);
  if (!place) return;
  if (number) remove_holder(place, number, session);
  place->answer = *answer;
  place->number = session->place_number;
}
