/*
 * Fragments of translated datagrams. Only the first one has ports; it leaves a note of what became of its
 * addresses, and the later ones, which Linux sends in order, follow it.
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

static __always_inline void remember_fragment(const struct packet *pkt, const struct translation *to,
                                              __u32 out, __u32 now) {
  struct fragment_key key = fragment_key_of(pkt);
  struct fragment note = {.saddr = to->saddr, .daddr = to->daddr, .out = out, .last_seen = now};
  fragments.update(&key, &note);
}

/* Later fragments must go where the first one went, even if that is nothing special. */
static __always_inline void remember_untranslated(const struct packet *pkt, __u32 out, __u32 now) {
  struct fragment_key key = fragment_key_of(pkt);
  struct fragment note = {.saddr = pkt->tuple.saddr, .daddr = pkt->tuple.daddr, .out = out, .last_seen = now};
  fragments.update(&key, &note);
}

/* A new datagram with the identification of an earlier one that was translated. */
static __always_inline void forget_fragment(const struct packet *pkt) {
  struct fragment_key key = fragment_key_of(pkt);
  fragments.delete(&key);
}

static __always_inline struct fragment *find_fragment(const struct packet *pkt, __u32 now) {
  struct fragment_key key = fragment_key_of(pkt);
  struct fragment *note = fragments.lookup(&key);
  return note && (__s32)(now - note->last_seen) <= FRAGMENT_TIMEOUT ? note : 0;
}

static __always_inline bool translate_fragment(struct CTXTYPE *ctx, const struct packet *pkt,
                                               const struct fragment *to) {
  struct iphdr *ip = packet_data(ctx) + (pkt->l3 & L3_MASK);
  if ((void *)(ip + 1) > packet_end(ctx)) return false;
  rewrite_addresses(ip, to->saddr, to->daddr);
  return true;
}
