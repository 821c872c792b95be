/*
 * Fragments. Only the first one of a datagram has ports; it leaves a note of what becomes of the others.
 * Those that come before it are held by the slow path, which lets them enter once more when the first one has
 * come.
 */
#define FRAGMENT_TIMEOUT 30 /* ticks; reassembly in Linux gives up after 30 s */

static __always_inline struct fragment_key fragment_key_of(const struct packet *pkt) {
  struct fragment_key key = {
      .saddr = pkt->tuple.saddr,
      .daddr = pkt->tuple.daddr,
      .id = pkt->ip_id,
      .proto = pkt->tuple.proto,
      .side = pkt->tuple.side,
  };
  return key;
}

static __always_inline __u32 note_check(const struct fragment_key *key, const struct fragment *note) {
  const word32 *parts[] = {(const word32 *)key, (const word32 *)note};
  const int lengths[] = {sizeof(*key) / sizeof(__u32), ABI_OFFSET(fragment, check) / sizeof(__u32)};
  __u64 hash = 0;
#pragma unroll
  for (int part = 0; part < 2; part++) {
#pragma unroll
    for (int i = 0; i < lengths[part]; i++) hash = (hash ^ parts[part][i]) * 0x9e3779b97f4a7c15ULL;
  }
  return hash >> 32;
}

/*
 * Copies the note of a datagram. False also when its memory was being used for another one's meanwhile: then
 * the fragment is held like one without a note, and finds out when it enters again.
 */
static __always_inline bool find_note(struct fragment_key *key, __u32 now, struct fragment *note) {
  const volatile word32 *from = (const volatile word32 *)fragments.lookup(key);
  if (!from) return false;
  word32 *to = (word32 *)note;
#pragma unroll
  for (int i = 0; i < sizeof(*note) / sizeof(*to); i++) to[i] = from[i];
  return note->check == note_check(key, note) && (__s32)(now - note->last_seen) <= FRAGMENT_TIMEOUT;
}

/* False when there is a note already, unless this one `replaces` it; and when the kernel has no room. */
static __always_inline bool store_note(struct fragment_key *key, struct fragment *note, bool replaces) {
  note->check = note_check(key, note);
  return !(replaces ? fragments.update(key, note) : fragments.insert(key, note));
}

/*
 * Later fragments get the same addresses and leave by the same port. One that was not translated needs a note
 * too, where there are services or backends: else the later ones would be held.
 */
static __always_inline void note_first_fragment(struct packet *pkt, action_t action) {
  if (action == drop(EVENT_DROP_MALFORMED)) return;
  bool translated = action == ACTION_TRANSLATED;
  if (!translated &&
      !may_be_known_address(pkt->tuple.side == SIDE_FRONTEND ? pkt->tuple.daddr : pkt->tuple.saddr))
    return;
  __u32 now = current_tick();
  struct fragment_key key = fragment_key_of(pkt);
  struct fragment note = {
      .saddr = pkt->scratch->egress.saddr,
      .daddr = pkt->scratch->egress.daddr,
      .last_seen = now,
      .port_generation = pkt->scratch->egress.port_generation,
      .port = pkt->scratch->egress.port,
      .counter = pkt->scratch->egress.counter,
      .from_client = pkt->scratch->egress.from_client,
      .verdict = translated                   ? FRAGMENT_TRANSLATE
                 : action == ACTION_UNMATCHED ? FRAGMENT_PASS
                                              : FRAGMENT_DROP,
  };
  /* Added if there is none, before the look: a note that another CPU leaves meanwhile is seen then, unless it
   * replaces that of an older datagram. */
  if (store_note(&key, &note, false)) return;
  struct fragment *old = &pkt->scratch->note;
  pkt->releases_held = find_note(&key, now, old) && old->verdict == FRAGMENT_HELD;
  if (!store_note(&key, &note, true)) count_event(EVENT_TABLE_BUSY);
}

static __always_inline bool is_balanced_protocol(__u8 proto) {
  return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_ICMP;
}

/* Tells the first fragment that later ones are held. False as store_note(). */
static __always_inline bool note_held(struct fragment_key *key, __u32 now, bool replaces) {
  struct fragment note = {.last_seen = now, .port = NO_PORT, .verdict = FRAGMENT_HELD};
  return store_note(key, &note, replaces);
}

static __always_inline action_t translate_fragment(struct CTXTYPE *ctx, struct packet *pkt,
                                                   const struct fragment *note) {
  struct iphdr *ip = packet_data(ctx) + (pkt->l3 & L3_MASK);
  if ((void *)(ip + 1) > packet_end(ctx)) return drop(EVENT_DROP_MALFORMED);
  struct egress as_the_first = {.saddr = note->saddr,
                                .daddr = note->daddr,
                                .port_generation = note->port_generation,
                                .port = note->port,
                                .counter = note->counter,
                                .from_client = note->from_client};
  pkt->scratch->egress = as_the_first;
  rewrite_addresses(ip, pkt->scratch->egress.saddr, pkt->scratch->egress.daddr);
  return ACTION_TRANSLATED;
}

/* A later fragment that follows the first one. */
static __always_inline action_t follow_first_fragment(struct CTXTYPE *ctx, struct packet *pkt,
                                                      const struct fragment *note) {
  decided(FRAGMENT, note->verdict);
  if (note->verdict == FRAGMENT_DROP) return drop(EVENT_DROP_FRAGMENT);
  if (note->verdict == FRAGMENT_PASS) return ACTION_UNMATCHED;
  return translate_fragment(ctx, pkt, note);
}

/*
 * The first attempt adds the note only if there is none: if the first fragment comes on another CPU
 * meanwhile, its note must stay, or nobody would release those that are held. What the second one still does
 * not accept is the note of an older datagram, and is replaced.
 */
static __always_inline action_t handle_fragment(struct CTXTYPE *ctx, struct packet *pkt) {
  __u32 now = current_tick();
  struct fragment_key key = fragment_key_of(pkt);
  struct fragment *note = &pkt->scratch->note;
  __be32 server = pkt->tuple.side == SIDE_FRONTEND ? pkt->tuple.daddr : pkt->tuple.saddr;
  bool may_be_held = is_balanced_protocol(pkt->tuple.proto) && may_be_known_address(server);
  LOOP for (int attempt = 0; attempt < 2; attempt++) {
    bool is_noted = find_note(&key, now, note);
    if (is_noted && note->verdict != FRAGMENT_HELD) return follow_first_fragment(ctx, pkt, note);
    if (!may_be_held) return ACTION_UNMATCHED;
    if (attempt == 0 && !spend_budget(REASON_FRAGMENT_HOLD)) return drop(EVENT_RATE_LIMITED);
    if (is_noted || note_held(&key, now, attempt > 0)) {
      decided(FRAGMENT_EARLY);
      count_event(EVENT_FRAGMENT_HELD);
      return punt(REASON_FRAGMENT_HOLD);
    }
  }
  return drop(EVENT_TABLE_BUSY); /* without a note, nobody would release it */
}
