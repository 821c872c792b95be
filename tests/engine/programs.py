"""Small programs for the tests."""

HANDLE = "static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md)"


def program(body: str, before: str = "") -> str:
    """A program with this body; `before` holds its maps."""
    return f"{before}\n{HANDLE} {{\n{body}\n}}\n"


def counting(body: str, table: str = "hits", declare: str = "BPF_ARRAY(hits, u64, 4);") -> str:
    """A program that adds 1 to element 0 of an array before it does `body`."""
    count = f"u32 first = 0; u64 *n = {table}.lookup(&first); if (n) __sync_fetch_and_add(n, 1);"
    return program(f"{count}\n{body}", declare)


# Ports 0 and 1 are a cable.
CROSS = "return pcn_pkt_redirect(ctx, md, !md->in_port);"
CABLE = program(CROSS)
DROP = program("return RX_DROP;")
PASS = program("return RX_OK;")
