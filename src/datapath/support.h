/* Small things every stage uses: time and counters. */

/*
 * Ticks of 2^30 ns, about a second: all that session timeouts need. Asking the kernel for the time would be a
 * fifth of the cost of an established packet, reading its jiffies is almost free; so the time is asked for
 * once a jiffy.
 */
static __always_inline __u32 current_tick(void) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 6, 0)
  __u32 zero = 0;
  struct clock *cached = clock.lookup(&zero);
  if (!cached) return 0;
  __u64 jiffies = bpf_jiffies64();
  if (cached->jiffies != jiffies) {
    cached->tick = bpf_ktime_get_ns() >> 30;
    cached->jiffies = jiffies;
  }
  return cached->tick;
#else
  return bpf_ktime_get_ns() >> 30;
#endif
}

static __always_inline void count(__u32 event) {
  __u64 *counter = events.lookup(&event);
  if (counter) (*counter)++;
}

/* The FRONTEND port of a local client, for packets that no session sends elsewhere. */
static __always_inline __u32 frontend_of(__be32 ip) {
  __u16 *index = frontends.lookup(&ip);
  return index ? *index : NO_PORT;
}
