/* Small things every stage uses: time, counters, budgets, and the ways a packet leaves. */

/* Ticks of 2^30 ns, about a second: all that session timeouts need, so the cheap clock is enough where there
 * is one. */
static __always_inline __u32 current_tick(void) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 11, 0)
  return bpf_ktime_get_coarse_ns() >> 30;
#else
  return bpf_ktime_get_ns() >> 30;
#endif
}

static __always_inline void count(__u32 event) {
  __u64 *counter = events.lookup(&event);
  if (counter) (*counter)++;
}

static __always_inline int drop(__u32 event) {
  count(event);
  return RX_DROP;
}

/* XDP: a port without peer yields XDP_ABORTED, which is RX_OK and would leak the packet to the host stack. */
static __always_inline int forward_to(struct CTXTYPE *ctx, struct pkt_metadata *md, __u32 out) {
  if (out == NO_PORT) return drop(EVENT_DROP_NO_PORT);
#ifdef POLYCUBE_XDP
  int verdict = pcn_pkt_redirect(ctx, md, out);
  return verdict ? verdict : RX_DROP;
#else
  return pcn_pkt_redirect(ctx, md, out);
#endif
}

/* Gives the control plane a copy of the packet, at most `SLOW_PATH_BUDGET` times per tick, CPU and kind. */
#define SLOW_PATH_BUDGET 256

static __always_inline void copy_to_control_plane(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                                  __u16 reason) {
  __u32 index = reason;
  struct limit *limit = limits.lookup(&index);
  if (!limit) return;
  __u32 tick = current_tick();
  if (limit->tick != tick) {
    limit->tick = tick;
    limit->count = 0;
  }
  if (limit->count >= SLOW_PATH_BUDGET) {
    count(EVENT_RATE_LIMITED);
    return;
  }
  limit->count++;
  pcn_pkt_controller(ctx, md, reason);
}

/* The control plane instead of a port. */
static __always_inline int punt(struct CTXTYPE *ctx, struct pkt_metadata *md, __u16 reason) {
  copy_to_control_plane(ctx, md, reason);
  return RX_DROP; /* the verdict of pcn_pkt_controller would let the original go on to the host stack */
}

/* The FRONTEND port of a local client, for packets that no session sends elsewhere. */
static __always_inline __u32 frontend_of(__be32 ip) {
  __u16 *index = frontends.lookup(&ip);
  return index ? *index : NO_PORT;
}
