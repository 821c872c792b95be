/* Packets from the BACKEND port, as far as no session takes care of them. */

static __always_inline bool is_group_address(__be32 ip) {
  return (ip & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || ip == 0xffffffff;
}

static __always_inline bool is_group_frame(struct CTXTYPE *ctx) {
  struct ethhdr *eth = packet_data(ctx);
  return (void *)(eth + 1) <= packet_end(ctx) && (eth->h_dest[0] & 1);
}

/* To the FRONTEND port with the destination address; what is for everybody goes to every FRONTEND port. */
static __always_inline action_t backend_unmatched(struct CTXTYPE *ctx, const struct packet *pkt,
                                                  const struct port *in) {
  if (pkt->first_fragment) forget_fragment(pkt);
  if (!in->multi) return in->out;
  __u32 out = frontend_of(pkt->tuple.daddr);
  if (out == NO_PORT && (is_group_address(pkt->tuple.daddr) || is_group_frame(ctx)))
    return punt(REASON_FLOOD);
  return out;
}

/* Where a translated packet leaves: its session's port as long as that is the same port, else its client's.
 */
static __always_inline __u32 backend_egress(const struct session *session, const struct port *in) {
  __u32 index = session->port;
  struct port *out = ports.lookup(&index);
  if (out && out->side == SIDE_FRONTEND && out->generation == session->port_generation) return index;
  return in->multi ? frontend_of(session->front.near) : in->out;
}
