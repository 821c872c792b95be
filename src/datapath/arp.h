/* ARP across the load balancer: addresses live on both sides, so requests and replies must find theirs. */

struct arp_packet {
  __be16 hardware_type;
  __be16 protocol_type;
  __u8 hardware_length;
  __u8 protocol_length;
  __be16 operation;
  __u8 sender_mac[ETH_ALEN];
  __u8 sender_ip[4]; /* bytes, because 32-bit fields are not aligned here */
  __u8 target_mac[ETH_ALEN];
  __u8 target_ip[4];
} __attribute__((packed));

#define ARP_REPLY 2

static __always_inline __be32 load_ip(const __u8 *bytes) {
  return bytes[0] | (__u32)bytes[1] << 8 | (__u32)bytes[2] << 16 | (__u32)bytes[3] << 24;
}

static __always_inline void store_ip(__u8 *bytes, __be32 ip) {
  bytes[0] = ip;
  bytes[1] = ip >> 8;
  bytes[2] = ip >> 16;
  bytes[3] = ip >> 24;
}

static __always_inline struct arp_packet *arp_of(struct CTXTYPE *ctx, const struct packet *pkt) {
  linearize(ctx, pkt->l3 + sizeof(struct arp_packet));
  struct arp_packet *arp = packet_data(ctx) + (pkt->l3 & L3_MASK);
  return (void *)(arp + 1) > packet_end(ctx) ? 0 : arp;
}

/* A client that answers for its real address also answers for its virtual one: the control plane sends that
 * second reply. */
static __always_inline action_t arp_from_frontend(struct CTXTYPE *ctx, const struct packet *pkt,
                                                  const struct port *in) {
  struct arp_packet *arp = arp_of(ctx, pkt);
  if (!arp) return drop(EVENT_DROP_MALFORMED);
  decided(ARP, load_ip(arp->target_ip));
  struct src_ip_rewrite rewrite;
  if (arp->operation == bpf_htons(ARP_REPLY) && copy_rewrite(&rewrite) == REWRITE_ON &&
      (load_ip(arp->sender_ip) & rewrite.mask) == rewrite.net)
    return copy(REASON_ARP_REPLY, in->out);
  return in->out;
}

/* ARP for a virtual client address asks for the real one. Gratuitous ARP and probes for an address of no
 * FRONTEND port are flooded. */
static __always_inline action_t arp_from_backend(struct CTXTYPE *ctx, const struct packet *pkt,
                                                 const struct port *in) {
  struct arp_packet *arp = arp_of(ctx, pkt);
  if (!arp) return drop(EVENT_DROP_MALFORMED);
  __be32 target = load_ip(arp->target_ip);
  struct src_ip_rewrite rewrite;
  if (copy_rewrite(&rewrite) == REWRITE_ON && (target & rewrite.mask) == rewrite.new_net) {
    target = rewrite.net | (target & ~rewrite.mask);
    store_ip(arp->target_ip, target);
  }
  decided(ARP, target);
  if (!in->multi) return in->out;
  __u32 out = frontend_port_of(target);
  __be32 sender = load_ip(arp->sender_ip);
  return out == NO_PORT && (sender == target || sender == 0) ? punt(REASON_FLOOD) : out;
}
