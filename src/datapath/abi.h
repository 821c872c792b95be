/*
 * Layouts that the datapath and the control plane share: every key and value of the maps in maps.h.
 * Addresses, ports and ICMP identifiers are in network byte order (__be*), everything else in host order.
 * Padding is explicit and always zero, because hash maps compare keys byte by byte.
 */
#ifndef K8SLBRP_ABI_H
#define K8SLBRP_ABI_H

#ifdef __cplusplus
#include <linux/types.h>
namespace k8slbrp::abi {
#endif

enum side { SIDE_NONE = 0, SIDE_FRONTEND = 1, SIDE_BACKEND = 2 };

/* Why a packet goes to the control plane (pkt_metadata.reason). */
enum slowpath_reason { REASON_ARP_REPLY = 0, REASON_FLOOD = 1, REASON_REJECT = 2, REASON_COUNT = 3 };

/* Indexes of the `events` counters. */
enum event {
  EVENT_NEW_SESSION = 0,
  EVENT_DROP_MALFORMED = 1,     /* headers truncated or inconsistent */
  EVENT_DROP_NO_PORT = 2,       /* no port on the other side, or none with the destination address */
  EVENT_DROP_FRAGMENT = 3,      /* later fragment to a VIP whose first fragment was never seen */
  EVENT_DROP_ICMP_ERROR = 4,    /* ICMP error about an unknown session of a service */
  EVENT_RATE_LIMITED = 5,       /* slow path budget used up */
  EVENT_REJECTED = 6,           /* no usable backend: answered by the slow path */
  EVENT_DROP_SOURCE_PORTS = 7,  /* no free source port towards the chosen backend */
  EVENT_DROP_TABLE_CHANGED = 8, /* slots or sessions changed while a packet was looking */
  EVENT_COUNT = 9,
};

/* Upper bounds of the maps that grow with use. */
#define MAX_SERVICES 65536
#define MAX_CHUNKS 131072

#define NO_PORT 0xffff
#define MAX_PORTS 128

/* ports[index]: what a packet entering by that port needs to know; rewritten as a whole when ports change. */
struct port {
  __u8 side;  /* enum side */
  __u8 multi; /* 1 in MULTI mode */
  __u16 out;  /* where unmatched packets go; NO_PORT: look up by destination address, or drop */
  __u32
      generation; /* new for every port ever created: sessions of a deleted port do not match its successor */
};

/* src_ip_rewrite[0]: clients in net/mask appear to backends with the network part new_net. mask 0 and enabled
 * 0: off. */
struct src_ip_rewrite {
  __be32 net;
  __be32 new_net;
  __be32 mask;
  __u32 enabled;
};

/* services: proto is an IP protocol; vport is 0 for ICMP. */
struct service_key {
  __be32 vip;
  __be16 vport;
  __u8 proto;
  __u8 pad;
};

/* A backend of a service, and whether it gets new sessions. */
struct backend {
  __be32 ip;
  __be16 port;
  __u16 accepts; /* 0: it has weight 0 */
};

/*
 * A service chooses by `slots` slots, each of which holds the index of a backend; the hash of a flow picks
 * the slot. Few backends stand here, others in chunks.
 *
 * Readers take no lock, and the kernel may give the memory of an entry to another one while they look. So
 * version_again is `version` xor service_check(key): a reader that does not find both before and after
 * it has read the rest has seen another entry, or parts of two.
 */
#define INLINE_BACKENDS 14 /* the kernel's header, the key and the value fill three cache lines */

struct service {
  __u32 version;     /* never used twice */
  __u32 slots;       /* 0: no backend accepts sessions; 1: only backends[0] does */
  __u32 first_chunk; /* of the slots, when there are several; those of the backends follow */
  __u16 sets;        /* how many sets of backends the chunks hold, a power of two; 0: backends stand here */
  __u8 index_shift;  /* an index has 2^index_shift bits: 4, 8 or 16 */
  __u8 pad;
  struct backend backends[INLINE_BACKENDS]; /* unused ones are zero */
  __u32 version_again;
};

static inline __u32 service_check(const struct service_key *key) {
  __u64 hash = ((__u64)key->vip << 32 | (__u32)key->vport << 16 | key->proto) * 0x9e3779b97f4a7c15ULL;
  return hash >> 32;
}

/*
 * Chunks hold the slots and the backends of services that need more than their entry, in memory that grows
 * with use. A service has consecutive ones, and `segment` repeats the number of the first: readers look
 * whether it still is the same after they have read the rest.
 */
#define CHUNK_BYTES 512
#define WORDS_PER_CHUNK (CHUNK_BYTES / 2)
#define BACKENDS_PER_CHUNK (CHUNK_BYTES / 8)

struct chunk {
  __u32 segment;
  union {
    __u16 words[WORDS_PER_CHUNK];                /* indexes, the first one in the lowest bits */
    struct backend backends[BACKENDS_PER_CHUNK]; /* by index */
  };
};

/*
 * A backend that stands in a chunk is in one of two sets, which follow from its address and port, so that it
 * can be found without its index.
 */
#define BACKENDS_PER_SET 8

static inline __u32 backend_hash(__be32 ip, __be16 port) {
  __u64 hash = ((__u64)ip << 16 | port) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 32;
  return (hash * 0xbf58476d1ce4e5b9ULL) >> 32;
}

static inline __u32 backend_set(__u32 hash, __u32 choice, __u32 sets) {
  return (choice ? hash >> 16 : hash) & (sets - 1);
}

/* A flow as the ports of one side see it. Its near end is the clients', its far end the service's or a
 * backend's. ICMP echo: the identifier is the port of whoever asks, the other port is 0. */
struct flow {
  __be32 near;
  __be32 far;
  __be16 near_port;
  __be16 far_port;
};

/* sessions: SIDE_NONE with a near end alone, or a whole flow on its side. */
struct session_key {
  struct flow flow;
  __u8 proto;
  __u8 side;
  __u16 pad;
};

/* UDP and ICMP go from one of the first three states to the next. TCP sessions close in two steps; of a
 * closed one only stragglers are left.
 */
enum session_state {
  SESSION_OPENING = 0,
  SESSION_ANSWERED = 1, /* UDP and ICMP: perhaps there was no more to it than this */
  SESSION_ESTABLISHED = 2,
  SESSION_CLIENT_DONE = 3,  /* the client has sent a FIN */
  SESSION_BACKEND_DONE = 4, /* the backend has */
  SESSION_CLOSED = 5,       /* both have, or one of them an RST */
};

/* One flow on each side, which become one another. */
struct session {
  struct flow front;     /* client and VIP */
  struct flow back;      /* what the backend knows the client by, and the backend */
  __u32 last_seen;       /* in ticks of 2^30 ns, about a second */
  __u32 port_generation; /* of port */
  __u16 port;            /* where the client is */
  __u8 state;            /* enum session_state */
  __u8 flags;            /* SESSION_* */
  __u32 removals;        /* when the backend was last found to be there */
};

/* Answers of a hairpin, which enter where requests do: the near ends are the backend's. */
#define SESSION_MIRRORED 1
/* What look like answers are none any more. */
#define SESSION_RELEASED 2
/* Kept for a near end at which others have been looked for: those are found by way of this entry only. */
#define SESSION_PASSED 4

/* fragments: how later fragments of a translated datagram are rewritten. */
struct fragment_key {
  __be32 saddr;
  __be32 daddr;
  __be16 id;
  __u8 proto;
  __u8 side;
};

struct fragment {
  __be32 saddr;
  __be32 daddr;
  __u32 out;
  __u32 last_seen;
};

/* clock[0]: the tick as of these jiffies. */
struct clock {
  __u64 jiffies;
  __u32 tick;
  __u32 pad;
};

/* limits[slowpath_reason]: what this CPU gave to the control plane in the current tick. */
struct limit {
  __u32 tick;
  __u32 count;
};

#ifdef __cplusplus
}  // namespace k8slbrp::abi
#endif
#endif
