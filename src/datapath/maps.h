/*
 * The maps of a cube, but for `scratch` (scratch.h). Sizes are upper bounds: services, vips, chunks,
 * endpoints, clients, flows, source_ranges, counter_owners and removed_traffic take memory only for what they
 * hold; all others are allocated whole (see docs/datapath.md for the figures). The control plane defines
 * SESSION_ENTRIES (max-sessions), CPUS, and OPENINGS_SECRET (abi.h).
 */
/* `retired`, a FIFO (retire.h): each CPU has the same number of places. They are fewer in all than the
 * entries of `flows`, or `flows` would be full before the first client leaves the FIFO. */
#define RETIRED_WANTED (FLOW_ENTRIES(SESSION_ENTRIES) / 2)
#define RETIRED_ENTRIES (RETIRED_WANTED < CPUS ? CPUS : RETIRED_WANTED / CPUS * CPUS)
#define UNCONFIRMED_ENTRIES (FLOW_ENTRIES(SESSION_ENTRIES) / 4)
#define FLOW_HINTS 16384

BPF_ARRAY(ports, struct port, MAX_PORTS);
BPF_HASH(frontends, __be32, __u16, MAX_PORTS);
BPF_ARRAY(src_ip_rewrite, struct src_ip_rewrite, 1);
BPF_ARRAY(settings, struct settings, 1);
BPF_ARRAY(known, __u64, KNOWN_WORDS);
BPF_F_TABLE("hash", struct service_key, struct service, services, MAX_SERVICES, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", __be32, __u32, vips, MAX_SERVICES, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", __u32, struct chunk, chunks, MAX_CHUNKS, BPF_F_NO_PREALLOC);
/* The backends of all services, by address, port and protocol. Here and in `vips` values mean nothing. */
BPF_F_TABLE("hash", struct service_key, __u32, endpoints, MAX_ENDPOINTS, BPF_F_NO_PREALLOC);
/* How often the control plane has removed a backend. When it has grown, UDP and ICMP sessions look whether
 * theirs is still there. */
BPF_ARRAY(removals, __u32, 1);
BPF_F_TABLE("hash", struct client_key, struct session, clients, CLIENT_ENTRIES(SESSION_ENTRIES),
            BPF_F_NO_PREALLOC);
BPF_F_TABLE("array", __u32, struct opening_set, openings, OPENING_SETS(SESSION_ENTRIES), BPF_F_MMAPABLE);
BPF_F_TABLE("hash", struct flow_key, struct session, flows, FLOW_ENTRIES(SESSION_ENTRIES), BPF_F_NO_PREALLOC);
BPF_ARRAY(flow_hints, __u32, FLOW_HINTS);
BPF_ARRAY(retired, struct client_key, RETIRED_ENTRIES);
BPF_PERCPU_ARRAY(retired_next, __u32, 1);
BPF_ARRAY(unconfirmed, struct unconfirmed, UNCONFIRMED_ENTRIES);
BPF_TABLE("lru_hash", struct affinity_key, struct affinity, affinities,
          AFFINITY_ENTRIES(SESSION_ENTRIES, CPUS));
BPF_LPM_TRIE(source_ranges, struct source_range, __u32, MAX_SOURCE_RANGES);
BPF_TABLE("lru_hash", struct fragment_key, struct fragment, fragments, FRAGMENT_ENTRIES(CPUS));
BPF_ARRAY(clock, struct clock, 1);
BPF_PERCPU_ARRAY(traffic, struct traffic, COUNTERS(SESSION_ENTRIES));
BPF_PERCPU_ARRAY(table_changes, __u64, CHANGE_COUNT);
BPF_ARRAY(evictions, struct evictions, 1);
BPF_PERCPU_ARRAY(totals, struct total, TOTALS);
BPF_F_TABLE("hash", __u32, struct counter_owner, counter_owners, COUNTERS(SESSION_ENTRIES),
            BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", struct service_key, struct removed_traffic, removed_traffic, MAX_REMOVED_TRAFFIC,
            BPF_F_NO_PREALLOC);
BPF_PERCPU_ARRAY(events, __u64, EVENT_COUNT);
BPF_PERCPU_ARRAY(limits, struct limit, REASON_COUNT);
