// Passes each packet on to the neighbouring port (0 and 1, 2 and 3, ...) and counts it. Frames of the experimental
// Ethernet type go to the slow path, which sends them back.
BPF_TABLE("percpu_array", u32, u64, totals, 128);
BPF_TABLE("array", u32, u16, step, 1);

struct frame {
  u8 destination[6];
  u8 source[6];
  u16 type;
} __attribute__((packed));

static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  void *data = (void *)(long)ctx->data;
  void *end = (void *)(long)ctx->data_end;
  struct frame *frame = data;
  if ((void *)(frame + 1) > end) return RX_DROP;
  u16 type = frame->type;

  u32 zero = 0, port = md->in_port;
  u64 *total = totals.lookup(&port);
  u16 *amount = step.lookup(&zero);
  if (!total || !amount) return RX_DROP;
  *total += *amount;
  pcn_log(ctx, LOG_DEBUG, "%d bytes on port %d", md->packet_len, md->in_port);

#ifdef DROP_ALL
  return RX_DROP;
#else
  if (type == bpf_htons(0x88b5)) {
    u32 metadata[3] = {md->packet_len, port, 7};
    pcn_pkt_controller_with_metadata(ctx, md, 1, metadata);
    return RX_DROP;
  }
  return pcn_pkt_redirect(ctx, md, port ^ 1);
#endif
}
