/*
 * What becomes of a packet. The stages decide and return an action; act() carries it out, at one place, which
 * keeps the program small.
 */

typedef __u32 action_t; /* a port index, or one of these */

#define ACTION_DROP 0x10000       /* and count the event in the low bits */
#define ACTION_COPY 0x20000       /* give a copy to the control plane, for the reason in the high bits */
#define ACTION_UNMATCHED 0x40000  /* no session, no service: the side's own rule applies */
#define ACTION_TRANSLATED 0x80000 /* done with it: it leaves by the session's port */
#define ACTION_PORT 0xffff
#define ACTION_REASON_SHIFT 24
#define NOWHERE 0xfffe

static __always_inline action_t drop(__u32 event) { return ACTION_DROP | event; }

static __always_inline action_t copy(__u32 reason, __u32 out) {
  return ACTION_COPY | reason << ACTION_REASON_SHIFT | out;
}

/* The control plane instead of a port. */
static __always_inline action_t punt(__u32 reason) { return copy(reason, NOWHERE); }

/* At most so many packets per tick, CPU and reason bother the control plane. */
#define SLOW_PATH_BUDGET 256

static __always_inline bool within_budget(__u32 reason) {
  struct limit *limit = limits.lookup(&reason);
  if (!limit) return false;
  __u32 tick = current_tick();
  if (limit->tick != tick) {
    limit->tick = tick;
    limit->count = 0;
  }
  return limit->count++ < SLOW_PATH_BUDGET;
}

/* Gives a copy to the control plane, and tells which datagram it belongs to. */
static __always_inline void give_copy(struct CTXTYPE *ctx, struct pkt_metadata *md, const struct packet *pkt,
                                      __u32 reason) {
  __u32 datagram[3] = {pkt->tuple.saddr, pkt->tuple.daddr,
                       (__u32)pkt->tuple.side << 24 | (__u32)pkt->tuple.proto << 16 | pkt->ip_id};
  pcn_pkt_controller_with_metadata(ctx, md, reason, datagram); /* its verdict is none on the original */
}

static __always_inline int send_out(struct CTXTYPE *ctx, struct pkt_metadata *md, __u32 out) {
  int verdict = pcn_pkt_redirect(ctx, md, out);
#ifdef POLYCUBE_XDP
  /* A port without peer yields XDP_ABORTED, which is RX_OK and would leak the packet to the host stack. */
  if (!verdict) return RX_DROP;
#endif
  return verdict;
}

static __always_inline int act(struct CTXTYPE *ctx, struct pkt_metadata *md, const struct packet *pkt,
                               action_t action) {
  if (pkt->releases && within_budget(REASON_FRAGMENT_RELEASE))
    give_copy(ctx, md, pkt, REASON_FRAGMENT_RELEASE);
  if (action & ACTION_DROP) {
    decided(DROPPED, action & ACTION_PORT);
    count_event(action & ACTION_PORT);
    return RX_DROP;
  }
  if (action & ACTION_COPY) {
    __u32 reason = action >> ACTION_REASON_SHIFT;
    decided(CONTROL_PLANE, reason);
    if (reason == REASON_FRAGMENT_HOLD || within_budget(reason)) /* the former has been asked already */
      give_copy(ctx, md, pkt, reason);
    else
      count_event(EVENT_RATE_LIMITED);
  }
  __u32 out = action & ACTION_PORT;
  if (out == NO_PORT) {
    decided(NO_PORT);
    count_event(EVENT_DROP_NO_PORT);
  }
  if (out == NO_PORT || out == NOWHERE) return RX_DROP;
  return send_out(ctx, md, out);
}
