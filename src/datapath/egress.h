/* Where translated packets leave: towards clients, by the port of the session as long as it is that port. */
static __always_inline __u32 egress_port(const struct port *in, const struct egress *to) {
  if (in->side == SIDE_FRONTEND) return in->out;
  struct port out = port_at(to->port);
  if (out.side == SIDE_FRONTEND && out.generation == to->port_generation) return to->port;
  return in->multi ? frontend_port_of(to->daddr) : in->out;
}
