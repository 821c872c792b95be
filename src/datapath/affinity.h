/*
 * Session affinity: the backend of a client's last session with a service. Looked up only for new sessions of
 * services with affinity.
 */

static __always_inline __u32 affinity_check(const struct affinity_key *key, __be32 ip, __be16 port) {
  __u64 hash = ((__u64)key->service.vip << 32 | key->client) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 29;
  hash += (__u64)key->service.vport << 32 | (__u64)port << 16 | key->service.proto;
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash ^= hash >> 32 ^ ip;
  return hash * 0x94d049bb133111ebULL >> 32;
}

static __always_inline struct affinity_key affinity_key_of(const struct flow *front, __u8 proto) {
  struct affinity_key key = {.service = {.vip = front->server, .vport = front->server_port, .proto = proto},
                             .client = front->client};
  return key;
}

/*
 * Leads a new session to the backend that its client has had last, unless the client has opened none for
 * longer than `seconds`, or the backend gets no sessions any more. NOT_A_MEMBER: or nothing is remembered.
 */
static __always_inline enum membership recall_backend(struct session *session, __u8 proto, __u32 seconds,
                                                      __u32 now, struct service_head *head) {
  struct affinity_key key = affinity_key_of(&session->front, proto);
  const volatile word64 *entry = (const volatile word64 *)affinities.lookup(&key);
  if (!entry) return NOT_A_MEMBER;
  union {
    __u64 words[2];
    struct affinity affinity;
  } copy = {.words = {entry[0], entry[1]}};
  const struct affinity *last = &copy.affinity;
  if (last->check != affinity_check(&key, last->ip, last->port)) return NOT_A_MEMBER;
  if ((__s32)(now - last->last_opened) > (__s32)seconds) return NOT_A_MEMBER;
  __u16 counter = NO_COUNTER;
  enum membership membership = membership_of(&key.service, last->ip, last->port, head, &counter);
  if (membership != MEMBER_ACCEPTS) return membership;
  decided(AFFINITY, now - last->last_opened, last->ip, last->port);
  session->back.server = last->ip;
  session->back.server_port = last->port;
  session->counter = counter;
  return membership;
}

/* Each session that is opened restarts the timeout. */
static __always_inline void remember_backend(const struct session *session, __u8 proto) {
  const struct flow *back = &session->back;
  struct affinity_key key = affinity_key_of(&session->front, proto);
  struct affinity latest = {.ip = back->server, .port = back->server_port, .last_opened = session->last_seen};
  latest.check = affinity_check(&key, latest.ip, latest.port);
  struct affinity *entry = affinities.lookup(&key);
  if (DRY_RUN) return;
  if (entry && entry->check == latest.check)
    entry->last_opened = latest.last_opened;
  else if (affinities.update(&key, &latest))
    count_event(EVENT_TABLE_BUSY);
}
