/* The programs of the host itself: they bring packets from a netdev, or from user space, into a cube. */
#include <bcc/helpers.h>
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

struct pkt_metadata {
  u16 cube_id;
  u16 in_port;
  u32 packet_len;
  u32 traffic_class;
  u16 reason;
  u32 md[3];
} __attribute__((packed, aligned(2)));

BPF_TABLE("prog", int, int, nodes, 2 * _POLYCUBE_MAX_NODES);
BPF_TABLE("prog", int, int, xdp_nodes, 2 * _POLYCUBE_MAX_NODES);
BPF_TABLE("percpu_array", u32, struct pkt_metadata, port_md, 1);

static __always_inline int _enter_xdp_node(struct xdp_md *ctx, u32 port, u32 node) {
  u32 zero = 0;
  struct pkt_metadata *md = port_md.lookup(&zero);
  if (!md) return XDP_DROP;
  *md = (struct pkt_metadata){.in_port = port, .packet_len = ctx->data_end - ctx->data};
  xdp_nodes.call(ctx, node);
  return XDP_DROP;
}

/* The first program of a netdev. Its constants are placeholders, replaced in each netdev's own copy. */
int tc_entry(struct __sk_buff *skb) {
  skb->cb[0] = PLACEHOLDER_TARGET;
  nodes.call(skb, PLACEHOLDER_NODE);
  return TC_ACT_SHOT;
}

int xdp_entry(struct xdp_md *ctx) { return _enter_xdp_node(ctx, PLACEHOLDER_PORT, PLACEHOLDER_NODE); }

/* A packet from user space begins with where it goes. */
struct packet_out {
  u32 ifindex; /* out of this netdev, or when 0: */
  u32 target;  /* into node `target & 0xffff` as a packet of port `target >> 16` */
  u32 is_xdp;  /* whether that is a node of XDP programs */
};

/* The generic XDP hook of the TAP takes that head off. TC finds it again as the packet's metadata. */
int packet_out_xdp(struct xdp_md *ctx) {
  struct packet_out *head = (void *)(long)ctx->data;
  if ((void *)(head + 1) > (void *)(long)ctx->data_end) return XDP_DROP;
  struct packet_out out = *head;
  if (bpf_xdp_adjust_head(ctx, sizeof(out))) return XDP_DROP;
  if (out.is_xdp) {
    if (out.ifindex) return bpf_redirect(out.ifindex, 0);
    return _enter_xdp_node(ctx, out.target >> 16, out.target & 0xffff);
  }
  if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(out))) return XDP_DROP;
  struct packet_out *meta = (void *)(long)ctx->data_meta;
  if ((void *)(meta + 1) > (void *)(long)ctx->data) return XDP_DROP;
  *meta = out;
  return XDP_PASS;
}

int packet_out_tc(struct __sk_buff *skb) {
  struct packet_out *out = (void *)(long)skb->data_meta;
  if ((void *)(out + 1) > (void *)(long)skb->data) return TC_ACT_SHOT;
  if (out->ifindex) return bpf_redirect(out->ifindex, 0);
  skb->cb[0] = out->target;
  nodes.call(skb, out->target & 0xffff);
  return TC_ACT_SHOT;
}
