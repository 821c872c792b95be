/* What several stages use: loops, time, events, lookups of addresses. */

/* Before a loop. The verifier knows loops since 5.3. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 3, 0)
#define LOOP _Pragma("nounroll")
#else
#define LOOP _Pragma("unroll")
#endif

/*
 * Ticks of a second: all that session timeouts need. Asking the kernel for the time would be a third of the
 * cost of an established packet, reading its jiffies costs nothing. Where the control plane knows their
 * frequency, a multiplication makes seconds of them; where not, the time is asked for once a jiffy.
 */
static __always_inline __u32 current_tick(void) {
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 6, 0)
  return bpf_ktime_get_ns() >> 30;
#elif defined(KERNEL_HZ)
  return bpf_jiffies64() * ((1 << 20) / KERNEL_HZ) >> 20;
#else
  __u32 zero = 0;
  struct clock *cached = clock.lookup(&zero);
  if (!cached) return 0;
  __u64 jiffies = bpf_jiffies64();
  if (cached->jiffies != jiffies) {
    if (DRY_RUN) return bpf_ktime_get_ns() >> 30;
    cached->tick = bpf_ktime_get_ns() >> 30;
    cached->jiffies = jiffies;
  }
  return cached->tick;
#endif
}

static __always_inline void count_event(__u32 event) {
  __u64 *counter = events.lookup(&event);
  if (counter) (*counter)++;
}

/* Whether there may be such a service or backend; false is certain. */
static __always_inline bool may_be_known(__be32 ip, __be16 port, __u8 proto) {
  __u32 bit = hash_endpoint(ip, port, proto) % KNOWN_BITS;
  __u32 index = bit / 64;
  __u64 *word = known.lookup(&index);
  return word && (*word >> (bit % 64) & 1);
}

/* The same for any port and protocol. */
static __always_inline bool may_be_known_address(__be32 ip) { return may_be_known(ip, 0, 0); }

static __always_inline bool is_backend(__be32 ip, __be16 port, __u8 proto) {
  struct service_key key = {.vip = ip, .vport = port, .proto = proto};
  return endpoints.lookup(&key) != 0;
}

/* Whether some service has this address. */
static __always_inline bool is_vip(__be32 address) { return vips.lookup(&address) != 0; }

/* The FRONTEND port of a local client, for packets that no session sends elsewhere. */
static __always_inline __u32 frontend_port_of(__be32 ip) {
  __u16 *index = frontends.lookup(&ip);
  return index ? *index : NO_PORT;
}
