/* What every program of a cube sees, whatever its hook. Paid for at every compile: keep the includes few. */
#include <bcc/helpers.h>
#include <bcc/proto.h>
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

enum { RX_OK, RX_REDIRECT, RX_DROP, RX_RECIRCULATE, RX_ERROR };

struct pkt_metadata {
  u16 cube_id;
  u16 in_port;
  u32 packet_len;
  u32 traffic_class;
  u16 reason;
  u32 md[3];
} __attribute__((packed, aligned(2)));

/* Where a packet goes next: out of the netdev `ifindex`, or (when that is 0) into the program node
 * `target & 0xffff` as a packet of port `target >> 16`. All zero: nowhere.
 * With `direct` the netdev is one end of a veth pair that TC programs may skip: packets for `far_mac`, the
 * address of the other end, can be put there at once. */
struct _POLYCUBE_peer_info {
  u32 ifindex;
  u32 target;
  u16 far_mac[3];
  u16 direct;
};

BPF_TABLE("array", u32, struct _POLYCUBE_peer_info, _POLYCUBE_peers, _POLYCUBE_MAX_PORTS);
#if POLYCUBE_PROGRAM_TYPE == 1
BPF_TABLE("array", u32, struct _POLYCUBE_peer_info, egress_next, _POLYCUBE_MAX_PORTS);
#endif

/* A perf record has at most 64 KiB; of a longer (GSO) packet the controller gets as much as fits. */
#define _PCN_RECORD_MAX 65000
BPF_PERF_OUTPUT(pcn_controller);

#ifdef PCN_DECISIONS
/* What a program says of one packet: the decisions it took, with their values, and where it sent it. Numbers
 * of ports and reasons are one more than they are: 0 stands for none. */
#define _PCN_MAX_DECISIONS 24

struct _pcn_decision {
  u32 number;
  u32 values[4];
};

struct _pcn_record {
  struct pkt_metadata metadata; /* not on the stack; first, so that both have one pointer */
  u64 moment;
  u32 kind; /* of traces */
  u32 cpu;
  u32 in_port;
  u32 length; /* of the part of the packet that comes with it */
  u32 left;   /* how many packets this CPU may still tell */
  u32 count;
  u32 out;
  u32 reason;
  struct _pcn_decision decisions[_PCN_MAX_DECISIONS];
};

BPF_TABLE("percpu_array", u32, struct _pcn_record, _pcn_records, 1);

static __always_inline struct _pcn_record *_pcn_the_record(void) {
  u32 zero = 0;
  return _pcn_records.lookup(&zero);
}

static __always_inline struct _pcn_decision *_pcn_next_decision(u32 number) {
  struct _pcn_record *record = _pcn_the_record();
  if (!record || record->count >= _PCN_MAX_DECISIONS) return 0;
  struct _pcn_decision *decision = &record->decisions[record->count++ % 32];
  decision->number = number;
  return decision;
}

/* The values are looked at after the kernel has been called, so that none needs a place on the stack
 * meanwhile. */
#define _PCN_FIVE(number, a, b, c, d, ...)                        \
  do {                                                            \
    struct _pcn_decision *_decision = _pcn_next_decision(number); \
    if (_decision) {                                              \
      _decision->values[0] = (a);                                 \
      _decision->values[1] = (b);                                 \
      _decision->values[2] = (c);                                 \
      _decision->values[3] = (d);                                 \
    }                                                             \
  } while (0)
#define pcn_decided(...) _PCN_FIVE(__VA_ARGS__, 0, 0, 0, 0, 0)

static __always_inline void _pcn_leaves(u32 port) {
  struct _pcn_record *record = _pcn_the_record();
  if (record) record->out = port + 1;
}

static __always_inline void _pcn_goes_up(u16 reason) {
  struct _pcn_record *record = _pcn_the_record();
  if (record) record->reason = reason + 1;
}

#ifdef PCN_TRACE
/* A traced packet makes two records: as it enters, without decisions, and as it is when all is decided. With
 * PCN_TRACE_DROPPED only those that are dropped make one, the second. */
#define _PCN_ENTERS 1
#define _PCN_DECIDED 2
#define _PCN_SHOWN 128

BPF_PERF_OUTPUT(_pcn_traces);

static __always_inline u32 _pcn_shown(struct CTXTYPE *ctx) {
#ifdef POLYCUBE_XDP
  u32 length = ctx->data_end - ctx->data;
#else
  u32 length = ctx->len;
#endif
  return length < _PCN_SHOWN ? length : _PCN_SHOWN;
}

static __always_inline void _pcn_trace_begin(struct CTXTYPE *ctx, struct _pcn_record *record) {
  record->kind = record->count = record->out = record->reason = 0;
  if (!record->left) return;
  record->kind = _PCN_ENTERS;
  record->moment = bpf_ktime_get_ns();
  record->cpu = bpf_get_smp_processor_id();
  record->in_port = record->metadata.in_port;
#ifndef PCN_TRACE_DROPPED
  record->left--;
  record->length = _pcn_shown(ctx);
  _pcn_traces.perf_submit_skb(ctx, record->length, record, offsetof(struct _pcn_record, decisions));
#endif
}

static __always_inline void _pcn_trace_end(struct CTXTYPE *ctx, struct _pcn_record *record) {
  if (!record || record->kind != _PCN_ENTERS) return;
#ifdef PCN_TRACE_DROPPED
  if (record->out || record->reason) return;
  record->left--;
#endif
  record->kind = _PCN_DECIDED;
  record->length = _pcn_shown(ctx);
  _pcn_traces.perf_submit_skb(ctx, record->length, record, sizeof(*record));
}
#endif

#define _PCN_METADATA(md, dropped)                 \
  struct _pcn_record *_record = _pcn_the_record(); \
  if (!_record) return dropped;                    \
  struct pkt_metadata *md = &_record->metadata
#else
#define _PCN_METADATA(md, dropped) \
  struct pkt_metadata _metadata;   \
  struct pkt_metadata *md = &_metadata
#define _pcn_leaves(port) ((void)0)
#define _pcn_goes_up(reason) ((void)0)
#endif
#ifndef PCN_TRACE
#define _pcn_trace_begin(ctx, record) ((void)0)
#define _pcn_trace_end(ctx, record) ((void)0)
#endif

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md);

static __always_inline uint64_t pcn_get_time_epoch() { return _EPOCH_BASE + bpf_ktime_get_ns(); }
