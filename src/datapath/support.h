/* What several stages use: loops, time, events, lookups of addresses. */

/* Before a loop: keeps the compiler from unrolling it, which would make the program larger. */
#define LOOP _Pragma("nounroll")

/* Makes the verifier forget the values that it knows for `value`, by two xors with a register it knows
 * nothing of: it follows one path then, instead of one for each value. */
static __always_inline __u64 hide_from_verifier(__u64 value, __u64 unknown) {
  asm volatile("%0 ^= %1\n%0 ^= %1" : "+r"(value) : "r"(unknown));
  return value;
}

/* Makes the compiler forget where `value` was read, or it may turn a choice between two members into one
 * between their addresses, with an `or` that no verifier allows; and in which range it is, or it may leave
 * out a mask that the verifier needs. What it does differs with the flags of the host. */
static __always_inline __u64 hide_from_compiler(__u64 value) {
  asm("" : "+r"(value));
  return value;
}

/* Loads a member once, like the kernel's READ_ONCE(): what is checked is what is used. */
#define LOAD_ONCE(member) (*(const volatile typeof(member) *)&(member))

/* Stores a member at once and in this order. */
#define STORE_ONCE(member, value) (*(volatile typeof(member) *)&(member) = (value))

#define CACHE_LINE 64

/* Asks for memory long before its content is needed: a CPU goes on while it waits, for some 250
 * instructions, and what is asked for within these comes at the same time. */
static __always_inline void prefetch(const void *memory) { (void)*(const volatile __u8 *)memory; }

/*
 * Ticks of about a second: all that session timeouts need. Asking the kernel for the time costs much more
 * than reading its jiffies, which is a plain load. Where the control plane knows their frequency, a
 * multiplication makes seconds of them; where not, the time is asked for once a jiffy.
 */
static __always_inline __u32 current_tick(void) {
#ifdef KERNEL_HZ
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
  __u32 bit = endpoint_hash(ip, port, proto) % KNOWN_BITS;
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

/* What the port with this index is at one moment: read at once, because it may change while the packet is
 * under way. Without role (SIDE_NONE) if there is none. */
static __always_inline struct port port_at(__u32 index) {
  struct port *entry = ports.lookup(&index);
  union {
    __u64 word;
    struct port port;
  } copy = {.word = entry ? LOAD_ONCE(*(word64 *)entry) : 0};
  return copy.port;
}

/* The FRONTEND port of a local client, for packets that no session sends elsewhere. */
static __always_inline __u32 frontend_port_of(__be32 ip) {
  __u16 *index = frontends.lookup(&ip);
  return index ? *index : NO_PORT;
}
