/*
 * The maps of a cube. Sizes are upper bounds: services, vips and chunks take memory only for what they hold;
 * sessions, retired and fragments are allocated whole (see docs/datapath.md for the figures).
 * SESSION_ENTRIES is defined by the control plane.
 */
#define RETIRED_ENTRIES (SESSION_ENTRIES / 2)

BPF_ARRAY(ports, struct port, MAX_PORTS);
BPF_HASH(frontends, __be32, __u16, MAX_PORTS);
BPF_ARRAY(src_ip_rewrite, struct src_ip_rewrite, 1);
BPF_F_TABLE("hash", struct service_key, struct service, services, MAX_SERVICES, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", __be32, __u32, vips, MAX_SERVICES, BPF_F_NO_PREALLOC);
BPF_F_TABLE("hash", __u32, struct chunk, chunks, MAX_CHUNKS, BPF_F_NO_PREALLOC);
BPF_ARRAY(removals, __u32, 1);
BPF_TABLE("lru_hash", struct session_key, struct session, sessions, SESSION_ENTRIES);
BPF_ARRAY(retired, struct session_key, RETIRED_ENTRIES);
BPF_ARRAY(retired_next, __u32, 1);
BPF_TABLE("lru_hash", struct fragment_key, struct fragment, fragments, 8192);
BPF_ARRAY(clock, struct clock, 1);
BPF_PERCPU_ARRAY(events, __u64, EVENT_COUNT);
BPF_PERCPU_ARRAY(limits, struct limit, REASON_COUNT);
