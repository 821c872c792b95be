/*
 * The floor, and the least that a session takes: one lookup in a table like the service's or, with OPENING,
 * one insertion. What of a packet's cost is the kernel's table, and what the service?
 */
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>

struct key {
  __be32 saddr;
  __be16 sport;
  __u16 proto;
};

struct value {
  __u8 bytes[VALUE_BYTES];
};

BPF_F_TABLE("lru_hash", struct key, struct value, table, ENTRIES, FLAGS);

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = data + sizeof(*eth);
  __be16 *ports = (void *)(ip + 1);
  if ((void *)(ports + 2) > end) return RX_DROP;
  if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != 6 || ip->ihl != 5) return RX_DROP;

  struct key key = {.saddr = ip->saddr, .sport = ports[0], .proto = ip->protocol};
#ifdef OPENING
  struct value value = {};
  if (table.update(&key, &value)) return RX_DROP;
#else
  if (!table.lookup(&key)) return RX_DROP;
#endif
  return pcn_pkt_redirect(ctx, md, EGRESS_PORT);
}
