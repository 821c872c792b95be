/* Passes the packets of a port to the other port, as far as they keep to its rate. */
#include "limits.h"

BPF_TABLE("array", u32, struct limit, limits, MAX_PORTS);
BPF_TABLE("array", u32, u64, arrivals, MAX_PORTS);
BPF_TABLE("percpu_array", u32, struct counters, counters, MAX_PORTS);

/*
 * The generic cell rate algorithm (ITU-T I.371): `arrival` is when the next packet is due at the rate, and a
 * packet may be early by the tolerance. CPUs add to it atomically, so that none of their packets goes
 * uncounted; only where a pause ends on two CPUs at once, one packet may.
 */
static __always_inline bool conforms(const struct limit *limit, u64 *arrival, u32 bytes) {
  if (!limit->rate) return true;
  u64 now = bpf_ktime_get_ns(), due = *arrival;
  if (due < now) *arrival = due = now;
  if (due - now > limit->tolerance) return false;
  __sync_fetch_and_add(arrival, bytes * NS_PER_BYTE_AT_1_KBIT / limit->rate);
  return true;
}

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  u32 port = md->in_port;
  struct limit *limit = limits.lookup(&port);
  u64 *arrival = arrivals.lookup(&port);
  struct counters *count = counters.lookup(&port);
  if (!limit || !arrival || !count || limit->out == NO_PORT) return RX_DROP;
  if (!conforms(limit, arrival, md->packet_len)) {
    ++count->dropped;
    return RX_DROP;
  }
  ++count->passed;
  return pcn_pkt_redirect(ctx, md, limit->out);
}
