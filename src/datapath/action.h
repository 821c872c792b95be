/*
 * What becomes of a packet. The stages of the full path decide and return an action; carry_out() carries it
 * out, at one place, which keeps the program small.
 */

/* Bits 0 to 15: a port index, NO_PORT, ONLY_CONTROL_PLANE or an event; 16 to 19: one of these; from 24 on: a
 * reason. handle_rx() makes a port of ACTION_UNMATCHED and ACTION_TRANSLATED. */
typedef __u32 action_t;

#define ACTION_DROP 0x10000       /* and count the event in the low bits */
#define ACTION_COPY 0x20000       /* give a copy to the control plane, for the reason in the high bits */
#define ACTION_UNMATCHED 0x40000  /* no session, no service: the side's own rule applies */
#define ACTION_TRANSLATED 0x80000 /* done with it: it leaves by the session's port */
#define ACTION_LOW_BITS 0xffff
#define ACTION_REASON_SHIFT 24
#define ONLY_CONTROL_PLANE 0xfffe /* instead of a port: it goes to the control plane and nowhere else */

static __always_inline action_t drop(__u32 event) { return ACTION_DROP | event; }

static __always_inline action_t copy(__u32 reason, __u32 out) {
  return ACTION_COPY | reason << ACTION_REASON_SHIFT | out;
}

/* The packet goes to the control plane instead of a port. */
static __always_inline action_t punt(__u32 reason) { return copy(reason, ONLY_CONTROL_PLANE); }

/* Packets per tick, CPU and reason: the control plane is far slower than the datapath. */
#define SLOW_PATH_BUDGET 256

/* False when nothing is left in this tick. */
static __always_inline bool spend_budget(__u32 reason) {
  struct limit *limit = limits.lookup(&reason);
  if (!limit) return false;
  __u32 tick = current_tick();
  if (limit->tick != tick) {
    limit->tick = tick;
    limit->count = 0;
  }
  return limit->count++ < SLOW_PATH_BUDGET;
}

/* Gives a copy to the control plane, and tells which datagram it belongs to. Returns 0, or the event that
 * says why it could not. */
static __always_inline __u32 give_copy(struct CTXTYPE *ctx, struct pkt_metadata *md, const struct packet *pkt,
                                       __u32 reason) {
  /* as struct fragment_key; only the reasons about fragments use it */
  __u32 datagram[3] = {pkt->tuple.saddr, pkt->tuple.daddr,
                       (__u32)pkt->tuple.side << 24 | (__u32)pkt->tuple.proto << 16 | pkt->ip_id};
  if (reason != REASON_FRAGMENT_HOLD && !spend_budget(reason)) /* handle_fragment() has spent it */
    return EVENT_RATE_LIMITED;
  /* The result tells of the copy only, not what becomes of the packet. */
  if (pcn_pkt_controller_with_metadata(ctx, md, reason, datagram)) return EVENT_DROP_SLOW_PATH_FULL;
  struct limit *limit = limits.lookup(&reason);
  if (limit) limit->given++;
  return 0;
}

/* A packet is forwarded without the copy that the control plane would have got. */
static __always_inline void count_omitted(__u32 reason) {
  struct limit *limit = limits.lookup(&reason);
  if (limit) limit->omitted++;
}

static __always_inline int drop_now(const struct packet *pkt, __u32 length, __u32 event) {
  count_event(event);
  if (pkt->tuple.side != SIDE_NONE) count_fate(pkt->tuple.side, FATE_DROPPED, length);
  return RX_DROP;
}

/* Sends the packet out, translated or as it came. */
static __always_inline int send_out(struct CTXTYPE *ctx, struct pkt_metadata *md, __u32 out) {
  int verdict = pcn_pkt_redirect(ctx, md, out);
#ifdef POLYCUBE_XDP
  /* Of a port without peer. In polycubed XDP_ABORTED, which is RX_OK and would leak the packet to the host
   * stack; in pcnhost RX_DROP. */
  if (!verdict || verdict == RX_DROP) {
    count_event(EVENT_DROP_NO_PEER);
    return RX_DROP;
  }
#endif
  return verdict;
}

static __always_inline int carry_out(struct CTXTYPE *ctx, struct pkt_metadata *md, const struct packet *pkt,
                                     action_t action, bool translated) {
  __u32 length = packet_length(ctx), reason = action >> ACTION_REASON_SHIFT, out = action & ACTION_LOW_BITS;
  if (pkt->releases_held && give_copy(ctx, md, pkt, REASON_FRAGMENT_RELEASE))
    count_omitted(REASON_FRAGMENT_RELEASE);
  if (action & ACTION_DROP) {
    decided(DROPPED, out);
    return drop_now(pkt, length, out); /* the event is in the low bits */
  }
  if (action & ACTION_COPY) {
    decided(CONTROL_PLANE, reason);
    __u32 refused = give_copy(ctx, md, pkt, reason);
    if (out == ONLY_CONTROL_PLANE) {
      if (refused) return drop_now(pkt, length, refused);
      count_fate(pkt->tuple.side, FATE_SLOW_PATH, length);
      return RX_DROP;
    }
    if (refused) count_omitted(reason);
  }
  if (out == NO_PORT) {
    decided(NO_PORT);
    return drop_now(pkt, length, EVENT_DROP_NO_PORT);
  }
  if (translated) count_translated(pkt->scratch->egress.counter, pkt->scratch->egress.from_client, length);
  bool is_hairpin_answer =
      translated && !pkt->scratch->egress.from_client && pkt->tuple.side == SIDE_FRONTEND;
  if (!translated || is_hairpin_answer)
    count_fate(pkt->tuple.side, translated ? FATE_HAIRPIN : FATE_PASSED, length);
  return send_out(ctx, md, out);
}
