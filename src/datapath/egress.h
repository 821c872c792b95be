/* Where translated packets leave: towards clients, by the port of the session as long as it is that port. */
static __always_inline __u32 egress_port(const struct port *in, const struct egress *to) {
  if (in->side == SIDE_FRONTEND) return in->out;
  __u32 index = to->port;
  struct port *out = ports.lookup(&index);
  if (out && out->side == SIDE_FRONTEND && out->generation == to->port_generation) return index;
  return in->multi ? frontend_port_of(to->daddr) : in->out;
}
