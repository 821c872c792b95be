/* Stands before a cube's program while packets are traced: those of the flow go to the program's tracing
 * variant, all others to the program itself. The flow is compiled in: addresses and ports with masks, 0 for
 * any; or EVERY_PACKET. */
#include <bcc/helpers.h>
#include <uapi/linux/bpf.h>
#include <uapi/linux/if_ether.h>
#include <uapi/linux/ip.h>
#include <uapi/linux/pkt_cls.h>

BPF_TABLE("prog", int, int, ingress_programs, _POLYCUBE_MAX_BPF_PROGRAMS);
BPF_TABLE("prog", int, int, traced, 1);

#ifdef EVERY_PACKET
static __always_inline bool is_wanted(struct CTXTYPE *ctx) { return true; }
#else
#define HEADERS 128
#define ECHO_REPLY 0
#define ECHO_REQUEST 8

static __always_inline bool is(u32 found, u32 wanted, u32 mask) { return ((found ^ wanted) & mask) == 0; }

static __always_inline bool is_wanted(struct CTXTYPE *ctx) {
#ifndef POLYCUBE_XDP
  if (ctx->data_end - ctx->data < HEADERS) bpf_skb_pull_data(ctx, ctx->len < HEADERS ? ctx->len : HEADERS);
#endif
  void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != PROTOCOL) return false;
  if (ip->frag_off & bpf_htons(0x1fff)) return false;
  u16 *ports = (void *)ip + (ip->ihl & 15) * 4;
  if ((void *)(ports + 4) > end) return false;
  u16 from = ports[0], to = ports[1];
  if (PROTOCOL == 1) {
    u8 type = *(u8 *)ports;
    if (type != ECHO_REQUEST && type != ECHO_REPLY) return false;
    from = type == ECHO_REQUEST ? ports[2] : 0;
    to = type == ECHO_REPLY ? ports[2] : 0;
  }
  bool to_server = is(ip->saddr, SOURCE, SOURCE_MASK) && is(from, SPORT, SPORT_MASK) &&
                   is(ip->daddr, DESTINATION, DESTINATION_MASK) && is(to, DPORT, DPORT_MASK);
  /* Whoever answers may have another address here than the one that was asked. */
  bool to_client = is(ip->daddr, SOURCE, SOURCE_MASK) && is(to, SPORT, SPORT_MASK);
  return to_server || to_client;
}
#endif

int trace_switch(struct CTXTYPE *ctx) {
  if (is_wanted(ctx)) traced.call(ctx, 0);
  ingress_programs.call(ctx, 0);
#ifdef POLYCUBE_XDP
  return XDP_DROP;
#else
  return TC_ACT_SHOT;
#endif
}
