int drive(struct __sk_buff *skb) {
  struct flow *flow = set_next_flow((void *)(long)skb->data, (void *)(long)skb->data_end);
  if (!flow) return TC_ACT_SHOT;
  skb->cb[0] = flow->in_port << 16;
  under_test.call(skb, 0);
  return TC_ACT_SHOT;
}
