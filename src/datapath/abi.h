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
#define MAX_CHUNKS 524288
#define MAX_BACKENDS 262144

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

/* `replica` tells apart the entries of a backend that has several, for its weight. Compared as one number. */
struct candidate {
  __be32 ip;
  __be16 port;
  __u16 replica;
};

/*
 * Either a few candidates, or `count` consecutive slots starting with the first of chunk `first_chunk`. The
 * kernel may hand the memory of a deleted entry to a new one while a packet still looks at it: then the two
 * versions, which are read in the opposite order in which memory is copied, differ.
 */
#define MAX_CANDIDATES 14 /* the kernel's headers, the key and the value fill three cache lines */

struct service {
  __u32 version;
  __u32 count; /* 0: reject */
  struct candidate candidates[MAX_CANDIDATES];
  __u32 first_chunk; /* 0: candidates */
  __u32 version_again;
};

struct slot {
  __be32 ip;
  __be16 port;
} __attribute__((packed));

/*
 * Slots come in chunks, so that a hash map holds them in memory that grows with use, and cheaply: a power of
 * two for the datapath's arithmetic. `segment` repeats the owner's first_chunk: the kernel may hand the
 * memory of a deleted chunk to a new one while a packet still looks at it. It comes first, and slots are
 * packed, because each cache line that a new session touches counts.
 */
#define SLOTS_PER_CHUNK 64

struct chunk {
  __u32 segment;
  struct slot slots[SLOTS_PER_CHUNK];
};

/*
 * backends: present while a backend belongs to a service. UDP and ICMP sessions look here, TCP ones drain.
 * removals[0] counts what has been taken out, so that they need to look again only when it has changed.
 */
struct backend_key {
  struct service_key service;
  __be32 ip;
  __be16 port;
  __u16 pad;
};

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
