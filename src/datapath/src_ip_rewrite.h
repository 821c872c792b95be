/* Virtual addresses of clients, for backends to see. */

static __always_inline struct src_ip_rewrite *active_rewrite(void) {
  __u32 zero = 0;
  struct src_ip_rewrite *rewrite = src_ip_rewrite.lookup(&zero);
  return rewrite && rewrite->enabled ? rewrite : 0;
}

/* The address under which a backend sees the client of a service. */
static __always_inline __be32 visible_source(__be32 client, __be32 backend, __be32 vip) {
  /* Hairpin: a pod that got itself as backend drops packets from its own address. */
  if (client == backend) return vip;
  struct src_ip_rewrite *rewrite = active_rewrite();
  if (rewrite && (client & rewrite->mask) == rewrite->net)
    return rewrite->new_net | (client & ~rewrite->mask);
  return client;
}
