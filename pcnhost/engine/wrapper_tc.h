/* The TC side of the datapath API: packets are socket buffers, metadata travels in cb[0]. */
#include <uapi/linux/if_packet.h>

BPF_TABLE("prog", int, int, nodes, 2 * _POLYCUBE_MAX_NODES);
#if POLYCUBE_PROGRAM_TYPE == 1
BPF_TABLE("prog", int, int, egress_programs, _POLYCUBE_MAX_BPF_PROGRAMS);
#else
BPF_TABLE("prog", int, int, ingress_programs, _POLYCUBE_MAX_BPF_PROGRAMS);
#endif

static __always_inline int _pcn_enter_node(struct CTXTYPE *skb, u32 target) {
  skb->cb[0] = target;
  nodes.call(skb, target & 0xffff);
  return TC_ACT_SHOT;
}

#if POLYCUBE_PROGRAM_TYPE == 1
/* The end of an egress program: the packet leaves through its netdev or goes on to the next cube. */
static __always_inline int forward(struct CTXTYPE *skb, u32 port) {
  struct _POLYCUBE_peer_info *next = egress_next.lookup(&port);
  if (!next) return TC_ACT_SHOT;
  return next->ifindex ? TC_ACT_OK : _pcn_enter_node(skb, next->target);
}
#else
/* Sends the packet out of a netdev. */
static __always_inline int _pcn_leave(struct CTXTYPE *skb, const struct _POLYCUBE_peer_info *peer) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 10, 0)
  /* Of a packet that crosses a link, the kernel reads the Ethernet header anew; of one put at the far end, it
   * does not. So that end has to be the receiver, and the protocol what the kernel takes it for already. */
  const u16 *frame = (void *)(long)skb->data;
  if (peer->direct && (void *)(frame + 7) <= (void *)(long)skb->data_end && frame[0] == peer->far_mac[0] &&
      frame[1] == peer->far_mac[1] && frame[2] == peer->far_mac[2] && frame[6] == skb->protocol) {
    /* The rest of what crossing the link would do. */
    bpf_skb_change_type(skb, PACKET_HOST);
    skb->mark = 0;
    return bpf_redirect_peer(peer->ifindex, 0);
  }
#endif
  return bpf_redirect(peer->ifindex, 0);
}

static __always_inline int forward(struct CTXTYPE *skb, u32 port) {
  struct _POLYCUBE_peer_info *peer = _POLYCUBE_peers.lookup(&port);
  if (!peer) return TC_ACT_SHOT;
  return peer->ifindex ? _pcn_leave(skb, peer) : _pcn_enter_node(skb, peer->target);
}
#endif

int handle_rx_wrapper(struct CTXTYPE *skb) {
  _PCN_METADATA(md, TC_ACT_SHOT);
  *md = (struct pkt_metadata){
      .cube_id = CUBE_ID, .in_port = skb->cb[0] >> 16, .packet_len = skb->len, .traffic_class = skb->mark};
  skb->cb[0] = (u32)md->in_port << 16 | CUBE_ID;

  _pcn_trace_begin(skb, _record);
  int result = handle_rx(skb, md);
  _pcn_trace_end(skb, _record);
  skb->mark = md->traffic_class;
  switch (result) {
#if POLYCUBE_PROGRAM_TYPE == 1
    case RX_OK:
      return forward(skb, md->in_port);
#else
    case RX_OK:
      return TC_ACT_OK;
    case RX_REDIRECT:
      return forward(skb, md->reason);
#endif
    default:
      return TC_ACT_SHOT;
  }
}

#if POLYCUBE_PROGRAM_TYPE == 0
static __always_inline int pcn_pkt_redirect(struct CTXTYPE *skb, struct pkt_metadata *md, u32 port) {
  _pcn_leaves(port);
  md->reason = port;
  return RX_REDIRECT;
}

static __always_inline int pcn_pkt_redirect_ns(struct CTXTYPE *skb, struct pkt_metadata *md, u32 port) {
  return TC_ACT_SHOT;
}

static __always_inline void call_ingress_program(struct CTXTYPE *skb, int index) {
  ingress_programs.call(skb, index);
}

static __always_inline void call_ingress_program_with_metadata(struct CTXTYPE *skb, struct pkt_metadata *md,
                                                               int index) {
  skb->mark = md->traffic_class;
  ingress_programs.call(skb, index);
}
#else
static __always_inline void call_egress_program(struct CTXTYPE *skb, int index) {
  egress_programs.call(skb, index);
}

static __always_inline void call_egress_program_with_metadata(struct CTXTYPE *skb, struct pkt_metadata *md,
                                                              int index) {
  skb->mark = md->traffic_class;
  egress_programs.call(skb, index);
}
#endif

static __always_inline int pcn_pkt_drop(struct CTXTYPE *skb, struct pkt_metadata *md) { return RX_DROP; }

static __always_inline int pcn_pkt_controller(struct CTXTYPE *skb, struct pkt_metadata *md, u16 reason) {
  /* The copy for user space is taken from the frame's bytes: a tag held beside them has to be among them. */
  _pcn_goes_up(reason);
#ifdef PCN_DRY_RUN
  return 0;
#endif
  u32 tagged = skb->vlan_present, tag = skb->vlan_tci, proto = skb->vlan_proto;
  if (tagged) bpf_skb_vlan_push(skb, proto, tag);
  md->cube_id = CUBE_ID;
  md->packet_len = skb->len < _PCN_RECORD_MAX ? skb->len : _PCN_RECORD_MAX;
  md->reason = reason;
  int result = pcn_controller.perf_submit_skb(skb, md->packet_len, md, sizeof(*md));
  if (tagged) bpf_skb_vlan_pop(skb);
  return result;
}

static __always_inline int pcn_pkt_controller_with_metadata(struct CTXTYPE *skb, struct pkt_metadata *md,
                                                            u16 reason, u32 metadata[3]) {
  md->md[0] = metadata[0];
  md->md[1] = metadata[1];
  md->md[2] = metadata[2];
  return pcn_pkt_controller(skb, md, reason);
}

static __always_inline int pcn_l3_csum_replace(struct CTXTYPE *skb, u32 csum_offset, u32 old_value,
                                               u32 new_value, u32 flags) {
  return bpf_l3_csum_replace(skb, csum_offset, old_value, new_value, flags);
}

static __always_inline int pcn_l4_csum_replace(struct CTXTYPE *skb, u32 csum_offset, u32 old_value,
                                               u32 new_value, u32 flags) {
  return bpf_l4_csum_replace(skb, csum_offset, old_value, new_value, flags);
}

static __always_inline __wsum pcn_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 to_size,
                                            __wsum seed) {
  return bpf_csum_diff(from, from_size, to, to_size, seed);
}

static __always_inline bool pcn_is_vlan_present(struct CTXTYPE *skb) { return skb->vlan_present; }

static __always_inline int pcn_get_vlan_id(struct CTXTYPE *skb) { return skb->vlan_tci & 0x0fff; }

static __always_inline int pcn_get_vlan_proto(struct CTXTYPE *skb) { return skb->vlan_proto; }

static __always_inline int pcn_vlan_pop_tag(struct CTXTYPE *skb) { return bpf_skb_vlan_pop(skb); }

static __always_inline int pcn_vlan_push_tag(struct CTXTYPE *skb, u16 eth_proto, u32 vlan_id) {
  return bpf_skb_vlan_push(skb, eth_proto, vlan_id);
}

#ifdef _PCN_IP_SUMMED_BYTE
/* skb->ip_summed, for services that know how to do without the helpers' calls. Not in polycubed. */
static __always_inline u32 pcnhost_ip_summed(struct CTXTYPE *skb) {
  const void *kernel_skb = ((void *(*)(void *))_PCN_KERNEL_SKB)(skb);
  u64 byte;
  asm volatile("%0 = *(u8 *)(%1 + %2)" : "=r"(byte) : "r"(kernel_skb), "i"(_PCN_IP_SUMMED_BYTE));
  return byte >> _PCN_IP_SUMMED_SHIFT & 3;
}
#endif
