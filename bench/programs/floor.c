/* The least a service can do that looks at its packets: parse TCP over IPv4, send it on. */
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>

struct l4_ports {
  __be16 source;
  __be16 dest;
};

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = data + sizeof(*eth);
  struct l4_ports *tcp = (void *)(ip + 1);
  if ((void *)(tcp + 1) > end) return RX_DROP;
  if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != 6 || ip->ihl != 5) return RX_DROP;
  if (tcp->source == 0 || tcp->dest == 0) return RX_DROP;
  return pcn_pkt_redirect(ctx, md, EGRESS_PORT);
}
