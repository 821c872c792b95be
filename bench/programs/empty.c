/* A service that does nothing: what the wrapper alone costs to compile. */
static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) { return RX_DROP; }
