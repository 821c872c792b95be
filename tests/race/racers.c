/*
 * What surrounds a cube's program in a race. `enter` writes the next packet of this CPU's script and gives it
 * to the program, as if it came from a port; `leave` takes the place of the neighbour of every port and
 * compares what leaves with what the script expects of that packet. Checksums are not kept: nobody looks at
 * them.
 */
#include <bcc/helpers.h>
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

#define NO_PORT 0xffff

struct pkt_metadata {
  u16 cube_id;
  u16 in_port;
  u32 packet_len;
  u32 traffic_class;
  u16 reason;
  u32 md[3];
} __attribute__((packed, aligned(2)));

struct addresses {
  u32 saddr, daddr;
  u16 sport, dport;
};

/* One packet of a script. `serial_mask`: these bits of the source address count how often the script has been
 * sent, so that each time it is of another client. `leaves`: how it has to leave; its destination only under
 * `network`, and a source of 0 is the one it came with. `out_port`: by which port, or NO_PORT for any. */
struct step {
  struct addresses enters;
  struct addresses leaves;
  u32 network;
  u32 serial_mask;
  u32 in_port;
  u32 tcp_flags;
  u32 proto;
  u32 fragment; /* flags and offset, as in the IPv4 header but in this machine's order */
  u32 out_port;
  u32 acknowledged; /* TCP */
};

/* What a CPU does: `count` steps of the script from `first` on, over and over. */
struct course {
  u32 first, count;
  u32 next;
  u32 serial;
  struct addresses entered; /* the packet under way */
  u32 step;
};

/* What has left; of `right`, how many by another port than the script says. */
struct result {
  u64 right, wrong, astray;
  u32 wrong_step;
  struct addresses last_wrong;
};

BPF_TABLE("array", u32, struct step, script, STEPS);
BPF_TABLE("percpu_array", u32, struct course, course, 1);
BPF_TABLE("percpu_array", u32, struct result, result, 1);

static __always_inline struct addresses *addresses_at(void *data, void *end, struct addresses *to,
                                                      bool write) {
  if (data + 48 > end) return 0;
  if (write) {
    *(u32 *)(data + 26) = to->saddr;
    *(u32 *)(data + 30) = to->daddr;
    *(u16 *)(data + 34) = to->sport;
    *(u16 *)(data + 36) = to->dport;
  } else {
    to->saddr = *(u32 *)(data + 26);
    to->daddr = *(u32 *)(data + 30);
    to->sport = *(u16 *)(data + 34);
    to->dport = *(u16 *)(data + 36);
  }
  return to;
}

/* Returns the port by which the next packet enters, or a negative number. */
static __always_inline int write_next(void *data, void *end) {
  u32 zero = 0;
  struct course *now = course.lookup(&zero);
  if (!now) return -1;
  u32 index = now->first + now->next;
  struct step *step = script.lookup(&index);
  if (!step) return -1;
  if (++now->next >= now->count) {
    now->next = 0;
    now->serial++;
  }
  now->step = index;
  now->entered = step->enters;
  if (step->serial_mask) now->entered.saddr |= bpf_htonl(now->serial & step->serial_mask);
  if (!addresses_at(data, end, &now->entered, true)) return -1;
  *(u16 *)(data + 20) = bpf_htons(step->fragment);
  *(u8 *)(data + 23) = step->proto;
  *(u32 *)(data + 42) = bpf_htonl(step->acknowledged);
  *(u8 *)(data + 47) = step->tcp_flags;
  return step->in_port;
}

static __always_inline void check(void *data, void *end, u32 port) {
  u32 zero = 0;
  struct course *now = course.lookup(&zero);
  struct result *seen = result.lookup(&zero);
  struct addresses got = {};
  if (!now || !seen || !addresses_at(data, end, &got, false)) return;
  struct step *step = script.lookup(&now->step);
  if (!step) return;
  u32 saddr = step->leaves.saddr ? step->leaves.saddr : now->entered.saddr;
  u16 sport = step->leaves.sport ? step->leaves.sport : now->entered.sport;
  bool right = got.saddr == saddr && got.sport == sport && got.dport == step->leaves.dport &&
               (got.daddr & step->network) == step->leaves.daddr;
  if (right) {
    seen->right++;
    if (step->out_port != NO_PORT && step->out_port != port) seen->astray++;
  } else {
    seen->wrong++;
    seen->wrong_step = now->step;
    seen->last_wrong = got;
  }
}

#ifdef XDP_RACE
BPF_TABLE("prog", int, int, xdp_nodes, NODES);
BPF_TABLE("percpu_array", u32, struct pkt_metadata, port_md, 1);

int enter(struct xdp_md *ctx) {
  u32 zero = 0;
  struct pkt_metadata *md = port_md.lookup(&zero);
  int in_port = write_next((void *)(long)ctx->data, (void *)(long)ctx->data_end);
  if (!md || in_port < 0) return XDP_ABORTED;
  md->in_port = in_port;
  xdp_nodes.call(ctx, CUBE_NODE);
  return XDP_ABORTED;
}

int leave(struct xdp_md *ctx) {
  u32 zero = 0;
  struct pkt_metadata *md = port_md.lookup(&zero);
  if (md) check((void *)(long)ctx->data, (void *)(long)ctx->data_end, md->in_port);
  return XDP_DROP;
}
#else
BPF_TABLE("prog", int, int, nodes, NODES);

int enter(struct __sk_buff *skb) {
  int in_port = write_next((void *)(long)skb->data, (void *)(long)skb->data_end);
  if (in_port < 0) return TC_ACT_UNSPEC;
  skb->cb[0] = in_port << 16 | CUBE_NODE;
  nodes.call(skb, CUBE_NODE);
  return TC_ACT_UNSPEC;
}

int leave(struct __sk_buff *skb) {
  check((void *)(long)skb->data, (void *)(long)skb->data_end, skb->cb[0] >> 16);
  return TC_ACT_SHOT;
}
#endif
