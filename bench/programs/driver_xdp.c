struct pkt_metadata {
  u16 cube_id;
  u16 in_port;
  u32 packet_len;
  u32 traffic_class;
  u16 reason;
  u32 md[3];
} __attribute__((packed, aligned(2)));

BPF_TABLE("percpu_array", u32, struct pkt_metadata, port_md, 1);

int drive(struct xdp_md *ctx) {
  u32 zero = 0;
  struct pkt_metadata *md = port_md.lookup(&zero);
  struct flow *flow = set_next_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end);
  if (!md || !flow) return XDP_DROP;
  md->in_port = flow->in_port;
  under_test.call(ctx, 0);
  return XDP_DROP;
}
