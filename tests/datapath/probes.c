/* What surrounds the datapath under test: programs that take the place of its neighbours in the patch panel. */
#include <bcc/helpers.h>
#include <uapi/linux/bpf.h>

struct pkt_metadata {
  u16 cube_id;
  u16 in_port;
  u32 packet_len;
  u32 traffic_class;
  u16 reason;
  u32 md[3];
} __attribute__((packed, aligned(2)));

BPF_TABLE("prog", int, int, nodes, NODES);
BPF_TABLE("percpu_array", u32, struct pkt_metadata, port_md, 1);

/* A neighbour: its verdict tells by which port the packet arrived; the mark tells its VLAN tag held beside the bytes. */
int tc_exit(struct __sk_buff *skb) {
  skb->mark = skb->vlan_present ? 0x10000 | skb->vlan_tci : 0;
  return EXIT_VERDICT | skb->cb[0] >> 16;
}

int xdp_exit(struct xdp_md *ctx) {
  u32 zero = 0;
  struct pkt_metadata *md = port_md.lookup(&zero);
  return md ? EXIT_VERDICT | md->in_port : 0;
}

/* A NIC that takes VLAN tags out of the bytes. */
int tc_tagged_entry(struct __sk_buff *skb) {
  bpf_skb_vlan_push(skb, bpf_htons(0x8100), VLAN_TCI);
  nodes.call(skb, ENTRY_NODE);
  return 2;
}
