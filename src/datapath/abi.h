/*
 * Layouts that the datapath and the control plane share: every key and value of the maps in maps.h.
 * Addresses, ports and ICMP identifiers are in network byte order (__be*), everything else in host order.
 * Padding is explicit and always zero, because hash maps compare keys byte by byte.
 * Times are in ticks (current_tick()): of a second, or of 2^30 ns where HZ is not known.
 */
#ifndef K8SLBRP_ABI_H
#define K8SLBRP_ABI_H

#ifdef __cplusplus
#include <linux/types.h>
namespace k8slbrp::abi {
#endif

enum side { SIDE_NONE = 0, SIDE_FRONTEND = 1, SIDE_BACKEND = 2 };

/* Why a packet goes to the control plane (pkt_metadata.reason). */
enum slowpath_reason {
  REASON_ARP_REPLY = 0,
  REASON_FLOOD = 1,
  REASON_REJECT = 2,
  REASON_FRAGMENT_HOLD = 3, /* a later fragment that came before the first one; metadata: its fragment_key */
  REASON_FRAGMENT_RELEASE = 4, /* the first one has come; metadata: the same */
  REASON_RESET = 5,            /* a packet of a session that was ended with a reset */
  REASON_COUNT = 6,
};

/* Indexes of the `events` counters. */
enum event {
  EVENT_NEW_SESSION = 0,
  EVENT_DROP_MALFORMED = 1,       /* headers truncated or inconsistent */
  EVENT_DROP_NO_PORT = 2,         /* no port on the other side, or none with the destination address */
  EVENT_DROP_FRAGMENT = 3,        /* later fragment of a datagram that is dropped */
  EVENT_DROP_ICMP_ERROR = 4,      /* ICMP error about a service that gives no backend for it */
  EVENT_RATE_LIMITED = 5,         /* slow path budget used up */
  EVENT_REJECTED = 6,             /* no usable backend, or no such service: the slow path may answer */
  EVENT_DROP_SOURCE_PORTS = 7,    /* no free source port towards the chosen backend */
  EVENT_DROP_TABLE_CHANGED = 8,   /* slots or sessions changed while a packet was looking */
  EVENT_DROP_NO_SESSION = 9,      /* answer of a service's backend that belongs to no session */
  EVENT_TABLE_BUSY = 10,          /* no free entry at that moment: for a session, a note or an affinity */
  EVENT_FRAGMENT_HELD = 11,       /* later fragment that came before the first one: given to the slow path */
  EVENT_DROP_SOURCE_RANGE = 12,   /* a new session from where the service serves nobody */
  EVENT_DROP_PORT_NOT_READY = 13, /* came in by a port without role */
  EVENT_DROP_SLOW_PATH_FULL = 14, /* the control plane does not keep up */
  EVENT_DROP_NO_PEER = 15,        /* XDP: the port where it should leave has no peer */
  EVENT_NOT_PROMOTED = 16, /* no free entry in `clients` for a confirmed session: it stays in `openings` */
  EVENT_COUNT = 17,
};

/* Upper bounds of the maps that grow with use. */
#define MAX_SERVICES 65536
#define MAX_CHUNKS 131072
#define MAX_ENDPOINTS 262144
#define MAX_SOURCE_RANGES 131072

/* How many sessions there may be, by `max-sessions`. */
#define CLIENT_ENTRIES(sessions) (sessions)
#define OPENING_WAYS 4
#define OPENING_SETS(sessions) ((sessions) / 2 / OPENING_WAYS)
#define OPENING_ENTRIES(sessions) (OPENING_WAYS * OPENING_SETS(sessions))
#define FLOW_ENTRIES(sessions) ((sessions) / 2)

/* LRU maps are allocated whole: each CPU keeps up to 128 free entries for itself; with fewer in all,
 * insertions would find none. Twice as many, so that each CPU has as many in use. */
#define LRU_ENTRIES(wanted, cpus) ((wanted) > 256 * (cpus) ? (wanted) : 256 * (cpus))
#define AFFINITY_ENTRIES(sessions, cpus) LRU_ENTRIES((sessions) / 8, cpus)
#define FRAGMENT_ENTRIES(cpus) LRU_ENTRIES(8192, cpus)

/*
 * Counters: each CPU has its own, so that none waits for another.
 *
 * traffic[n]: what the backend with this number has exchanged with clients, of one service. Sessions carry
 * the number. NO_COUNTER is shared by all that have none: connections to a backend's own address, and
 * backends for which there was none left.
 */
#define NO_COUNTER 0
#define MAX_COUNTERS 32768 /* as many as a backend's flags can tell apart */
#define COUNTERS(sessions) \
  ((sessions) / 16 < 1024 ? 1024 : (sessions) / 16 > MAX_COUNTERS ? MAX_COUNTERS : (sessions) / 16)

struct traffic {
  __u64 packets_in; /* from clients */
  __u64 bytes_in;
  __u64 packets_out; /* to clients */
  __u64 bytes_out;
  __u64 new_sessions;
};

/*
 * table_changes[]: what the datapath has done to the tables by client. What has been evicted from `clients`
 * is what was added, less what the datapath (here) and the control plane (`evictions`) have removed, less
 * what is there.
 */
enum table_change {
  CHANGE_OPENING_EVICTED = 0, /* none that was over */
  CHANGE_CLIENT_ADDED = 1,
  CHANGE_CLIENT_REMOVED = 2,
  CHANGE_RESUMED = 3, /* no change: a TCP session found mid-stream, evicted here or begun elsewhere */
  CHANGE_COUNT = 4,
};

/*
 * totals[side][fate]: packets that were not translated, by the side where they came in. Translated ones count
 * in `traffic`: those from clients came in by FRONTEND ports, those to clients by the BACKEND port. The
 * exception are answers of hairpin sessions, which come in by FRONTEND ports: FATE_HAIRPIN counts them here
 * too.
 */
enum fate { FATE_PASSED = 0, FATE_DROPPED = 1, FATE_SLOW_PATH = 2, FATE_HAIRPIN = 3, FATE_COUNT = 4 };

#define TOTALS 12 /* by side and fate; those of SIDE_NONE stay zero */

struct total {
  __u64 packets;
  __u64 bytes;
};

/* services: proto is an IP protocol; vport is 0 for ICMP. */
struct service_key {
  __be32 vip;
  __be16 vport;
  __u8 proto;
  __u8 pad;
};

#define NO_PORT 0xffff
#define MAX_PORTS 128

/* ports[index]: what a packet entering by that port needs to know; rewritten as a whole when ports change. */
struct port {
  __u8 side;        /* enum side */
  __u8 multi;       /* 1 in MULTI mode */
  __u16 out;        /* the other side's port; NO_PORT: none, or by the destination address */
  __u32 generation; /* no two ports have the same: sessions of a deleted one do not fit the next one here */
};

/* src_ip_rewrite[0]: clients in net/mask appear to backends with the network part new_net. */
struct src_ip_rewrite {
  __be32 net;
  __be32 new_net;
  __be32 mask;
  __u32 check; /* rewrite_check(), so that nobody acts on half of a change; 0: off */
};

/*
 * A service chooses by a lookup table, as with Maglev, but one that the control plane fills by rendezvous
 * hashing (Rendezvous.h): each of its slots holds the index of a backend, and the hash of a flow picks the
 * slot. Up to INLINE_BACKENDS backends stand in the service's entry, and their slots too if INLINE_SLOTS of
 * them give precise shares. All others stand in chunks.
 *
 * Readers take no lock, and the kernel may use the memory of an entry again while they read. So the head and
 * each backend have a check, a hash of what they say, of the service and of the version of its entry. Readers
 * copy them and compare on the copy. Slots need none: whatever one holds, it leads to a backend of this
 * service and version, or the backend's check does not fit.
 */
struct service_head {
  __u32 version;     /* another one for each change; a change that is undone has its old one again */
  __u32 slots;       /* 0: no backend accepts sessions; 1: only backends[0] does */
  __u32 first_chunk; /* of the slots, unless they stand in the entry; those of the backends follow */
  __u16 buckets;     /* of backends, in chunks: a power of two; 0: the backends stand in the entry */
  __u8 index_shift;  /* an index has 2^index_shift bits: 4, 8 or 16 */
  __u8 sources;      /* the number of its set of source ranges; 0: none, it serves everybody */
  __u32 affinity;    /* seconds for which a client keeps its backend; 0: it does not */
  __u32 check;       /* head_check() */
};

/* A backend of a service, whether it gets new sessions, and where its traffic is counted. */
struct backend {
  __be32 ip;
  __be16 port;
  __u16 flags; /* BACKEND_ACCEPTS, and the number of its counters above */
  __u64 check; /* backend_check() */
};

#define BACKEND_ACCEPTS 1 /* else it has weight 0, or drains */
#define BACKEND_COUNTER_SHIFT 1

#define INLINE_BACKENDS 14
#define INLINE_SLOTS 1024
#define INLINE_WORDS (INLINE_SLOTS / 4)

struct service {
  struct service_head head;
  struct backend backends[INLINE_BACKENDS]; /* unused ones are zero */
  __u16 words[INLINE_WORDS];                /* slots, as in a chunk, if has_inline_slots() */
};

/* Whether its slots stand in the entry. Else `words` are zero. */
static inline int has_inline_slots(const struct service_head *head) {
  return head->slots == INLINE_SLOTS && head->buckets == 0;
}

/* The multipliers here and in the datapath: 2^64 or 2^32 by the golden ratio (Knuth), and those of
 * splitmix64. */
static inline __u64 mix_word(__u64 hash, __u64 word) {
  return (hash ^ hash >> 32 ^ word) * 0x9e3779b97f4a7c15ULL;
}

static inline __u32 rewrite_check(const struct src_ip_rewrite *rewrite) {
  __u64 hash = mix_word(mix_word(0, (__u64)rewrite->net << 32 | rewrite->new_net), rewrite->mask);
  return (__u32)(hash >> 32) | 1;
}

/* What the checks of one version of a service have in common. */
static inline __u64 service_hash(const struct service_key *key, __u32 version) {
  return mix_word(mix_word(0, (__u64)key->vip << 32 | (__u32)key->vport << 16 | key->proto), version);
}

static inline __u32 head_check(__u64 version_hash, const struct service_head *head) {
  __u64 hash = mix_word(version_hash, (__u64)head->slots << 32 | head->first_chunk);
  __u32 rest = (__u32)head->buckets << 16 | (__u32)head->index_shift << 8 | head->sources;
  return mix_word(hash, (__u64)head->affinity << 32 | rest) >> 32;
}

static inline __u64 backend_check(__u64 version_hash, const struct backend *backend) {
  return mix_word(version_hash, (__u64)backend->ip << 32 | (__u32)backend->port << 16 | backend->flags);
}

/*
 * source_ranges: an LPM trie. A new set of ranges of a service is written under another number than the one
 * in force, and is in force when the service's entry has that number.
 */
struct source_range {
  __u32 prefix_length;        /* of what follows: SOURCE_RANGE_BITS for a single address */
  struct service_key service; /* `pad` is the number of the set */
  __be32 ip;
};

#define SERVICE_KEY_BITS 64
#define SOURCE_RANGE_BITS 96

/*
 * affinities: which backend a client of a service has had last. `check` is a hash of key, address and port:
 * the kernel may give the memory to another entry while it is read.
 */
struct affinity_key {
  struct service_key service;
  __be32 client; /* its own address, whatever backends see */
};

struct affinity {
  __be32 ip;
  __be16 port;
  __u16 pad;
  __u32 last_opened; /* the tick of its last new session */
  __u32 check;
};

/*
 * Chunks hold the slots and the backends of services that need more than their entry, in memory that grows
 * with use. Those of a service have consecutive numbers.
 */
#define CHUNK_BYTES 512
#define WORDS_PER_CHUNK (CHUNK_BYTES / 2)
#define BACKENDS_PER_CHUNK (CHUNK_BYTES / 16)

struct chunk {
  union {
    __u16 words[WORDS_PER_CHUNK];                /* indexes, the first one in the lowest bits */
    struct backend backends[BACKENDS_PER_CHUNK]; /* by index */
  };
};

/*
 * Backends in chunks are a hash table as well, with two possible buckets for each key, as in cuckoo hashing:
 * a backend can be found without its index.
 */
#define BACKENDS_PER_BUCKET 8

static inline __u32 backend_hash(__be32 ip, __be16 port) {
  __u64 hash = ((__u64)ip << 16 | port) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 32;
  return (hash * 0xbf58476d1ce4e5b9ULL) >> 32;
}

static inline __u32 backend_bucket(__u32 hash, __u32 choice, __u32 buckets) {
  return (choice ? hash >> 16 : hash) & (buckets - 1);
}

/*
 * known: a Bloom filter with one hash function. The bit of an address, port and protocol is set when there is
 * such a service, or such a backend of any service; with port and protocol 0, when there is such an address.
 * Most traffic has nothing to do with services and is spared the lookups. Bits of what has been removed may
 * stay set.
 */
#define KNOWN_BITS (1 << 20)
#define KNOWN_WORDS (KNOWN_BITS / 64)

static inline __u32 mix_endpoint(__be32 ip, __be16 port, __u8 proto, __u64 multiplier) {
  __u64 hash = ((__u64)ip << 32 | (__u32)port << 8 | proto) * multiplier;
  hash ^= hash >> 32;
  return (__u32)((hash * 0xbf58476d1ce4e5b9ULL) >> 32);
}

static inline __u32 endpoint_hash(__be32 ip, __be16 port, __u8 proto) {
  return mix_endpoint(ip, port, proto, 0x9e3779b97f4a7c15ULL);
}

/*
 * One flow, as the ports of one side see it: `client` is whoever asks, `server` a service or a backend. ICMP
 * echo: the identifier is the client's port, the server's port is 0.
 */
struct flow {
  __be32 client;
  __be32 server;
  __be16 client_port;
  __be16 server_port;
};

/* The client of a session: the key of `clients`; `openings` is looked up by it as well. */
struct client_key {
  __be32 ip;
  __be16 port;
  __u8 proto;
  __u8 pad;
};

/* flows: packets exactly as they enter. Variables of this type are called tuple, request or answer. */
struct flow_key {
  __be32 saddr;
  __be32 daddr;
  __be16 sport;
  __be16 dport;
  __u8 proto;
  __u8 side; /* where they enter */
  __u16 pad;
};

/*
 * The order matters: up to ESTABLISHED nobody has closed, from RESET on is_reset(). In conntrack's terms,
 * roughly: SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT or CLOSE_WAIT (two), TIME_WAIT, CLOSE (the rest).
 */
enum session_state {
  SESSION_OPENING = 0,       /* no answer yet */
  SESSION_ANSWERED = 1,      /* TCP: the server has answered. UDP, ICMP: one exchange, perhaps the only one */
  SESSION_ESTABLISHED = 2,   /* TCP: the client has gone on, or was found mid-stream. UDP, ICMP: seen later */
  SESSION_CLIENT_CLOSED = 3, /* the client has sent a FIN, the server has not */
  SESSION_SERVER_CLOSED = 4, /* the other way round */
  SESSION_CLOSED = 5,        /* both have sent a FIN */
  SESSION_RESET = 6,         /* one of them has sent an RST, which the other one may have ignored */
  SESSION_RESET_CLIENT = 7,  /* after an RST, the client has gone on sending */
  SESSION_RESET_SERVER = 8,  /* after an RST, the server has */
  SESSION_ENDED = 9,         /* TCP, by the control plane: packets of both sides are answered with a reset */
  SESSION_STATES = 10,
};

/* This entry of `flows` is for the server's packets. */
#define SESSION_FLAG_FROM_SERVER 1
/* The client talks to the backend's own address: nothing is translated but, perhaps, its source port. */
#define SESSION_FLAG_DIRECT 2
/* The service has affinity: its client keeps the backend. */
#define SESSION_FLAG_AFFINITY 4
/* TCP, in `clients`: a successor stands in `openings` (successor.h), or did. */
#define SESSION_FLAG_CONTESTED 8

/*
 * A session: the flow between client and service, the flow between client and backend, and what is known of
 * them. Without translation of the client, both directions find one entry, by the client.
 *
 * The memory of an entry may be used again, by the kernel or by a packet on another CPU, while a packet still
 * looks at it. `check` is a hash of both flows: readers copy the entry, and compare flow and check on the
 * copy.
 */
struct session {
  struct flow front;     /* client and service */
  struct flow back;      /* the client as the backend sees it, and the backend */
  __u32 check;           /* hash of front and back */
  __u32 last_seen;       /* tick */
  __u32 port_generation; /* of port */
  union {
    __u32 removals;        /* UDP, ICMP: removals[0] when the backend was last found to be there */
    __u32 server_sequence; /* TCP, until it is confirmed: of a segment of the server; 0: none yet */
  };
  __u16 port;         /* FRONTEND port of the client */
  __u8 state;         /* enum session_state */
  __u8 flags;         /* SESSION_FLAG_* */
  __u16 counter;      /* in `traffic` */
  __u16 place_number; /* 0: it has no place in `unconfirmed`; else a random one, which the place repeats */
};

/* For structs that are read or copied by words. Else the compiler takes it that a store of a word changes no
 * member, and goes on with what it has read of that before. */
typedef __u32 __attribute__((may_alias)) word32;
typedef __u64 __attribute__((may_alias)) word64;

static inline __u32 session_check(const struct session *session) {
  const word64 *words = (const word64 *)session; /* front and back, the first 24 bytes */
  __u64 hash = words[0] * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ words[1]) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ hash >> 32 ^ words[2]) * 0x94d049bb133111ebULL;
  return (__u32)(hash >> 32);
}

/*
 * openings: sets, each of which has room for a few sessions (ways). The hash of a client's key picks the set.
 * A tag is another part of the hash; 0: the way is free.
 */
struct opening_set {
  __u16 tags[OPENING_WAYS];
  __u8 protocols[OPENING_WAYS];
  __u32 writers; /* how many CPUs want to write; only one that is alone may */
  __u32 next;    /* where the search for the longest idle one begins */
  __u32 pad;
  struct session sessions[OPENING_WAYS];
};

/* As endpoint_hash(), but for a secret, an odd number: nobody who does not know it can choose clients of one
 * set. */
static inline __u32 opening_hash(const struct client_key *key, __u64 secret) {
  return mix_endpoint(key->ip, key->port, key->proto, secret);
}

static inline __u32 opening_set_of(__u32 hash, __u32 sets) { return (__u64)hash * sets >> 32; }

static inline __u16 opening_tag(__u32 hash) { return (__u16)(hash | 0x8000); }

/* unconfirmed: the places of sessions in `flows` that are not confirmed. */
struct unconfirmed {
  struct flow_key answer; /* leads to the session that has this place, if it has the same number */
  __u32 number;
};

/* fragments: the note that the first fragment of a datagram leaves for the later ones. */
struct fragment_key {
  __be32 saddr;
  __be32 daddr;
  __be16 id;
  __u8 proto;
  __u8 side;
};

enum fragment_verdict {
  FRAGMENT_TRANSLATE = 0,
  FRAGMENT_PASS = 1,
  FRAGMENT_DROP = 2,
  FRAGMENT_HELD = 3, /* the first fragment has not been seen yet; the slow path holds others */
};

struct fragment {
  __be32 saddr;
  __be32 daddr;
  __u32 port_generation; /* of port */
  __u16 port;            /* FRONTEND port of the client; NO_PORT: by destination address */
  __u8 verdict;          /* enum fragment_verdict */
  __u8 from_client;      /* of the session */
  __u16 counter;         /* of the session, in `traffic` */
  __u16 pad;
  __u32 check; /* a hash of the key and of all above */
  __u32 last_seen;
};

/* settings[0]: idle timeouts in seconds, by protocol and state; whether ports of a VIP that no service has
 * are refused. */
#define SETTINGS_PROTOCOLS 32 /* powers of two: `%` is a mask, which the verifier understands */
#define SETTINGS_STATES 16

struct settings {
  __u32 timeouts[SETTINGS_PROTOCOLS][SETTINGS_STATES];
  __u32 longest_timeout;
  __u32 reject_unserved;
};

/* clock[0]: the tick as of these jiffies. Where HZ is not known. */
struct clock {
  __u64 jiffies;
  __u32 tick;
  __u32 pad;
};

/* limits[slowpath_reason]: what this CPU gave to the control plane, in the current tick and ever. */
struct limit {
  __u32 tick;
  __u32 count;
  __u64 given;
  __u64 omitted; /* copies of packets that went their way, for which there was no budget or no room */
};

/* --- only the control plane uses these --- */

/* evictions[0]: what the control plane needs to tell evictions from `clients`, also after its next start. */
struct evictions {
  __u64 removed; /* entries that it has removed itself */
  __u64 evicted; /* the last figure that it has shown: it never goes back */
};

/* counter_owners: the service and backend that `traffic` counts under a number. */
struct counter_owner {
  struct service_key service; /* all zero: of a service that is no more */
  __be32 backend;
};

/*
 * removed_traffic: the figures of a service's former backends whose numbers have been used again. The entry
 * with a key of all zero has those of removed services. A figure is added here before it is removed where it
 * was; after a crash in between, `from` or `number` say which one is contained already.
 */
#define MAX_REMOVED_TRAFFIC 16384 /* with more, numbers are not used again */

struct removed_traffic {
  struct traffic traffic;
  struct service_key from;
  __u32 number;
  __u32 pad;
};

#include "abi_layout.h"

#ifdef __cplusplus
}  // namespace k8slbrp::abi
#endif
#endif
