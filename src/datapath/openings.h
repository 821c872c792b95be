/*
 * `openings`, the table of sessions that are not confirmed, by client. It is an array of sets, as in the
 * cache of a CPU: each has a few ways, and a session is in one of them. A new session touches one set, where
 * an LRU of the kernel's takes locks and writes to several other entries. In a full set, it takes the way of
 * the session that was not seen for longest.
 */

/* Places are numbered over all sets. */
#define NO_PLACE 0xffffffff

/* What a client has in the table. */
struct opening {
  struct session *entry; /* null: nothing */
  __u32 place;
};

/* The first way with this tag, found in all at once; the first of all if none has it. */
static __always_inline __u64 way_of_tag(const struct opening_set *set, __u16 tag) {
  __u64 ones = 0x0001000100010001, highest = ones << 15;
  __u64 differs = LOAD_ONCE(*(const word64 *)set->tags) ^ tag * ones;
  __u64 equal =
      (differs - ones) & ~differs & highest; /* the highest bit of the first that is equal, and more */
  return (((equal & -equal) >> 15) * 0x000100020003) >>
         48; /* moves the number of that way to the highest bits */
}

static __always_inline __u64 way_at(__u64 way) { return hide_from_compiler(way) % OPENING_WAYS; }

/* Whether the client has this way: one branch. */
static __always_inline bool is_of_client(const struct opening_set *set, __u64 way, __u16 tag,
                                         const struct client_key *key) {
  const struct flow *front = &set->sessions[way].front;
  __u32 differs = (set->tags[way] ^ tag) | (set->protocols[way] ^ key->proto) | (front->client ^ key->ip) |
                  (front->client_port ^ key->port);
  return differs == 0;
}

static __always_inline struct opening find_opening(const struct client_key *key) {
  struct opening none = {.place = NO_PLACE};
  __u32 hash = opening_hash(key, OPENINGS_SECRET),
        index = opening_set_of(hash, OPENING_SETS(SESSION_ENTRIES));
  struct opening_set *set = openings.lookup(&index);
  if (!set) return none;
  __u16 tag = opening_tag(hash);
  __u64 way = way_at(way_of_tag(set, tag));
  if (!is_of_client(set, way, tag, key)) return none;
  struct opening found = {.entry = &set->sessions[way], .place = index * OPENING_WAYS + way};
  return found;
}

/* What stands at a place; null for NO_PLACE. */
static __always_inline struct session *session_at(__u32 place) {
  __u32 index = place / OPENING_WAYS;
  struct opening_set *set = openings.lookup(&index);
  return set ? &set->sessions[way_at(place)] : 0;
}

/* Frees a place, unless it is that of another client than `session`'s by now. */
static __always_inline void free_place(__u32 place, const struct session *session) {
  __u32 index = place / OPENING_WAYS;
  __u64 way = way_at(place);
  struct opening_set *set = DRY_RUN ? 0 : openings.lookup(&index);
  if (!set) return;
  const struct flow *front = &set->sessions[way].front, *own = &session->front;
  if ((front->client ^ own->client) | (front->client_port ^ own->client_port)) return; /* one branch */
  STORE_ONCE(set->tags[way], 0);
}

/* Whether this CPU may write into the set: when no other one wants to. Of two that want to at the same time,
 * perhaps neither may. Nobody waits: who may not, finds another place for its session. */
static __always_inline bool enter_set(struct opening_set *set) {
  __sync_fetch_and_add(&set->writers, 1);
  return LOAD_ONCE(set->writers) == 1;
}

static __always_inline void leave_set(struct opening_set *set) { __sync_fetch_and_add(&set->writers, -1); }

/* A free way, or that of the session that was not seen for longest: among those seen in the same tick, the
 * one whose turn it is. */
static __always_inline __u64 way_for_new(struct opening_set *set, __u32 now) {
  __u64 chosen = way_at(way_of_tag(set, 0));
  if (!set->tags[chosen]) return chosen;
  __u32 next = set->next;
  __s32 longest = -1;
  LOOP for (__u32 i = 0; i < OPENING_WAYS; i++) {
    __s32 idle = hide_from_verifier(now - set->sessions[way_at(next + i)].last_seen, now);
    if (idle <= longest) continue;
    longest = idle;
    chosen = next + i;
  }
  if (!DRY_RUN) set->next = chosen + 1;
  chosen = way_at(chosen);
  if (!expired(&set->sessions[chosen], set->protocols[chosen], now)) count_change(CHANGE_OPENING_EVICTED);
  return chosen;
}

/* In the order in which copy_session() reads. */
static __always_inline void write_session(struct session *entry, const struct session *session) {
  volatile word64 *to = (volatile word64 *)entry;
  const word64 *from = (const word64 *)session;
#pragma unroll
  for (int i = 0; i < sizeof(*session) / sizeof(*from); i++) to[i] = from[i];
}

/* Whether a new session may take the way of the one that has its tag: of one of the same client as `replaces`
 * says. Another client's goes when it is over, or when the new one can stand nowhere else. */
static __always_inline bool gives_way(const struct opening_set *set, __u64 way, bool is_own,
                                      const struct session *session, __u8 proto, bool replaces) {
  const struct session *there = &set->sessions[way];
  if (is_own) return replaces && is_replaceable(there, session, proto, true);
  return !replaces || expired(there, set->protocols[way], session->last_seen);
}

/* Stores a session, and says where. `replaces`: it may take the place of one of its client. NO_PLACE: there
 * is one that stays, another client has the same tag, or another CPU writes into the set. */
static __always_inline __u32 store_opening(const struct client_key *key, const struct session *session,
                                           bool replaces) {
  __u32 hash = opening_hash(key, OPENINGS_SECRET);
  __u32 index = opening_set_of(hash, OPENING_SETS(SESSION_ENTRIES)), place = NO_PLACE;
  struct opening_set *set = openings.lookup(&index);
  if (!set) return NO_PLACE; /* for the verifier: it is always there */
  __u16 tag = opening_tag(hash);
  bool stores = DRY_RUN || enter_set(set);
  __u64 way = way_at(way_of_tag(set, tag));
  bool is_own = is_of_client(set, way, tag, key);
  if (set->tags[way] == tag)
    stores = stores && gives_way(set, way, is_own, session, key->proto, replaces);
  else if (stores)
    way = way_for_new(set, session->last_seen);
  if (stores) place = index * OPENING_WAYS + way;
  if (stores && !DRY_RUN) {
    if (!is_own) STORE_ONCE(set->tags[way], 0); /* of one's own session, `check` tells which one it is */
    STORE_ONCE(set->protocols[way], key->proto);
    write_session(&set->sessions[way], session);
    STORE_ONCE(set->tags[way], tag);
  }
  if (!DRY_RUN) leave_set(set);
  return hide_from_verifier(place, hash);
}
