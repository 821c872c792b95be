"""Small programs for the tests."""

HANDLE = "static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md)"

# Ports 0 and 1 are a cable.
CABLE = HANDLE + " { return pcn_pkt_redirect(ctx, md, !md->in_port); }"


def handler(body: str, before: str = "") -> str:
    """A program with this body; `before` holds its maps."""
    return f"{before}\n{HANDLE} {{ {body} }}\n"
