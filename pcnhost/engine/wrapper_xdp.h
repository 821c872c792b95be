/* The XDP side of the datapath API: packets are raw frames, metadata travels in the per-CPU map port_md. */
#include <linux/errno.h>
#include <linux/string.h>
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>

BPF_TABLE("prog", int, int, xdp_nodes, 2 * _POLYCUBE_MAX_NODES);
BPF_TABLE("percpu_array", u32, struct pkt_metadata, port_md, 1);
#if POLYCUBE_PROGRAM_TYPE == 1
BPF_TABLE("prog", int, int, egress_programs_xdp, _POLYCUBE_MAX_BPF_PROGRAMS);
#else
BPF_TABLE("prog", int, int, ingress_programs, _POLYCUBE_MAX_BPF_PROGRAMS);
#endif

struct vlan_hdr {
  __be16 h_vlan_TCI;
  __be16 h_vlan_encapsulated_proto;
};

#define CSUM_MANGLED_0 ((__force __sum16)0xffff)

static __always_inline void _pcn_save_metadata(const struct pkt_metadata *md) {
  u32 zero = 0;
  struct pkt_metadata *saved = port_md.lookup(&zero);
  if (saved) *saved = *md;
}

/* Sends the packet on; the answer is an XDP verdict, and a packet that cannot go on is dropped. */
static __always_inline int _pcn_send(struct CTXTYPE *ctx, const struct pkt_metadata *md,
                                     const struct _POLYCUBE_peer_info *to) {
  if (!to) return XDP_DROP;
  if (to->ifindex) return bpf_redirect(to->ifindex, 0);
  struct pkt_metadata next = {.in_port = to->target >> 16, .traffic_class = md->traffic_class};
  _pcn_save_metadata(&next);
  xdp_nodes.call(ctx, to->target & 0xffff);
  return XDP_DROP;
}

int handle_rx_xdp_wrapper(struct CTXTYPE *ctx) {
  u32 zero = 0;
  struct pkt_metadata *saved = port_md.lookup(&zero);
  if (!saved) return XDP_DROP;
  _PCN_METADATA(md, XDP_DROP);
  *md = *saved;
  md->cube_id = CUBE_ID;
  md->packet_len = ctx->data_end - ctx->data;

  _pcn_trace_begin(ctx, _record);
  int result = handle_rx(ctx, md);
  _pcn_trace_end(ctx, _record);
  switch (result) {
    case RX_OK:
#if POLYCUBE_PROGRAM_TYPE == 1
    {
      u32 port = md->in_port;
      return _pcn_send(ctx, md, egress_next.lookup(&port));
    }
#else
      return XDP_PASS;
#endif
    case RX_DROP:
      return XDP_DROP;
    default:
      return result;
  }
}

#if POLYCUBE_PROGRAM_TYPE == 0
static __always_inline int pcn_pkt_redirect(struct CTXTYPE *ctx, struct pkt_metadata *md, u32 port) {
  _pcn_leaves(port);
  _pcn_trace_end(ctx, _pcn_the_record()); /* sending may be the last that this program does */
  int verdict = _pcn_send(ctx, md, _POLYCUBE_peers.lookup(&port));
  return verdict == XDP_DROP ? RX_DROP : verdict;
}

static __always_inline void call_ingress_program(struct CTXTYPE *ctx, int index) {
  ingress_programs.call(ctx, index);
}

static __always_inline void call_ingress_program_with_metadata(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                                               int index) {
  _pcn_save_metadata(md);
  ingress_programs.call(ctx, index);
}
#else
static __always_inline void call_egress_program(struct CTXTYPE *ctx, int index) {
  egress_programs_xdp.call(ctx, index);
}

static __always_inline void call_egress_program_with_metadata(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                                              int index) {
  _pcn_save_metadata(md);
  egress_programs_xdp.call(ctx, index);
}
#endif

static __always_inline int pcn_pkt_drop(struct CTXTYPE *ctx, struct pkt_metadata *md) { return RX_DROP; }

static __always_inline int pcn_pkt_controller(struct CTXTYPE *ctx, struct pkt_metadata *md, u16 reason) {
  _pcn_goes_up(reason);
#ifdef PCN_DRY_RUN
  return 0;
#endif
  md->cube_id = CUBE_ID;
  md->packet_len = ctx->data_end - ctx->data;
  md->reason = reason;
  return pcn_controller.perf_submit_skb(ctx, md->packet_len, md, sizeof(*md));
}

static __always_inline int pcn_pkt_controller_with_metadata(struct CTXTYPE *ctx, struct pkt_metadata *md,
                                                            u16 reason, u32 metadata[3]) {
  md->md[0] = metadata[0];
  md->md[1] = metadata[1];
  md->md[2] = metadata[2];
  return pcn_pkt_controller(ctx, md, reason);
}

static __always_inline __wsum pcn_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 to_size,
                                            __wsum seed) {
  return bpf_csum_diff(from, from_size, to, to_size, seed);
}

/* The checksum field at `offset`, NULL when it is not (wholly) in the packet. */
static __always_inline __sum16 *_pcn_csum_at(struct CTXTYPE *ctx, u32 offset) {
  if (offset & 1 || offset > 0xfffe) return NULL;
  __sum16 *field = (void *)(long)ctx->data + offset;
  return (void *)(field + 1) > (void *)(long)ctx->data_end ? NULL : field;
}

/* One's complement arithmetic: what `csum` becomes when `old_value` in the data becomes `new_value`. A size
 * of 0 says that `new_value` is the difference already. */
static __always_inline int _pcn_csum_update(__sum16 *csum, u32 old_value, u32 new_value, u32 size) {
  u64 sum = (u16) ~*csum;
  switch (size) {
    case 0:
      if (old_value) return -EINVAL;
      sum += new_value;
      break;
    case 2:
      sum += (u16)~old_value + (u32)(u16)new_value;
      break;
    case 4:
      sum += (u64)(u32)~old_value + new_value;
      break;
    default:
      return -EINVAL;
  }
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  *csum = ~sum;
  return 0;
}

static __always_inline int pcn_l3_csum_replace(struct CTXTYPE *ctx, u32 csum_offset, u32 old_value,
                                               u32 new_value, u32 flags) {
  __sum16 *field = _pcn_csum_at(ctx, csum_offset);
  if (!field || flags & ~BPF_F_HDR_FIELD_MASK) return -EINVAL;
  return _pcn_csum_update(field, old_value, new_value, flags);
}

static __always_inline int pcn_l4_csum_replace(struct CTXTYPE *ctx, u32 csum_offset, u32 old_value,
                                               u32 new_value, u32 flags) {
  const u32 known = BPF_F_HDR_FIELD_MASK | BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE;
  __sum16 *field = _pcn_csum_at(ctx, csum_offset);
  if (!field || flags & ~known) return -EINVAL;
  /* A zero UDP checksum means "none": it stays, and no sum may become it. */
  bool none_is_zero = flags & BPF_F_MARK_MANGLED_0;
  if (none_is_zero && !(flags & BPF_F_MARK_ENFORCE) && !*field) return 0;
  int result = _pcn_csum_update(field, old_value, new_value, flags & BPF_F_HDR_FIELD_MASK);
  if (none_is_zero && !*field) *field = CSUM_MANGLED_0;
  return result;
}

/* The tag of a tagged frame, NULL otherwise. */
static __always_inline struct vlan_hdr *_pcn_vlan_tag(struct CTXTYPE *ctx) {
  struct ethhdr *eth = (void *)(long)ctx->data;
  struct vlan_hdr *tag = (void *)(eth + 1);
  if ((void *)(tag + 1) > (void *)(long)ctx->data_end) return NULL;
  bool tagged = eth->h_proto == bpf_htons(ETH_P_8021Q) || eth->h_proto == bpf_htons(ETH_P_8021AD);
  return tagged ? tag : NULL;
}

static __always_inline bool pcn_is_vlan_present(struct CTXTYPE *ctx) { return _pcn_vlan_tag(ctx) != NULL; }

static __always_inline int pcn_get_vlan_id(struct CTXTYPE *ctx) {
  struct vlan_hdr *tag = _pcn_vlan_tag(ctx);
  return tag ? bpf_ntohs(tag->h_vlan_TCI) & 0x0fff : -1;
}

/* The type of what the tag is in front of, in host order. */
static __always_inline int pcn_get_vlan_proto(struct CTXTYPE *ctx) {
  struct vlan_hdr *tag = _pcn_vlan_tag(ctx);
  return tag ? bpf_ntohs(tag->h_vlan_encapsulated_proto) : -1;
}

static __always_inline int pcn_vlan_pop_tag(struct CTXTYPE *ctx) {
  struct vlan_hdr *tag = _pcn_vlan_tag(ctx);
  if (!tag) return -1;
  __be16 inner = tag->h_vlan_encapsulated_proto;
  struct ethhdr head = *(struct ethhdr *)(long)ctx->data;
  if (bpf_xdp_adjust_head(ctx, sizeof(*tag))) return -1;
  struct ethhdr *eth = (void *)(long)ctx->data;
  if ((void *)(eth + 1) > (void *)(long)ctx->data_end) return -1;
  head.h_proto = inner;
  *eth = head;
  return 0;
}

static __always_inline int pcn_vlan_push_tag(struct CTXTYPE *ctx, u16 eth_proto, u32 vlan_id) {
  struct ethhdr *eth = (void *)(long)ctx->data;
  if ((void *)(eth + 1) > (void *)(long)ctx->data_end) return -1;
  struct ethhdr head = *eth;
  if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct vlan_hdr))) return -1;
  eth = (void *)(long)ctx->data;
  struct vlan_hdr *tag = (void *)(eth + 1);
  if ((void *)(tag + 1) > (void *)(long)ctx->data_end) return -1;
  tag->h_vlan_TCI = bpf_htons(vlan_id);
  tag->h_vlan_encapsulated_proto = head.h_proto;
  head.h_proto = eth_proto == ETH_P_8021AD ? bpf_htons(ETH_P_8021AD) : bpf_htons(ETH_P_8021Q);
  *eth = head;
  return 0;
}
