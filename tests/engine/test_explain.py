"""Asking a program: what it says, and that one which could write is never asked."""

import pytest

from pcnhost.engine import Engine, bpf
from pcnhost.engine.decisions import sentences
from pcnhost.engine.explain import CannotExplain
from pcnhost.errors import HostError
from pcnhost.frames import Packet

from .support import counter, create

pytestmark = pytest.mark.root

FRAME = Packet("UDP", "10.0.0.1", 5, "10.0.0.2", 7).frame()

TALKING = r"""
#define DECISIONS(D)                                  \
  D(FOUND, "{address:ip} at {from:l4} is known, "     \
           "in {table:one|two}, {n:number} times")    \
  D(GOES, "by {to:port}")
#define DECISION(name, text) DECISION_##name,
enum decision { DECISIONS(DECISION) };
#ifdef PCN_DECISIONS
#define decided(name, ...) pcn_decided(DECISION_##name, ##__VA_ARGS__)
#else
#define decided(name, ...) ((void)0)
#endif
BPF_ARRAY(hits, u64, 1);
BPF_HASH(seen, u32, u32, 8);
static __always_inline int handle_rx(struct CTXTYPE *ctx, struct pkt_metadata *md) {
  u32 zero = 0, key = 7;
  u64 *count = hits.lookup(&zero);
  if (!count) return RX_DROP;
  WRITES
  seen.update(&key, &key);
  seen.delete(&zero);
  decided(FOUND, 0x0100000a, 0x5000, 1, *count);
  decided(GOES, md->in_port);
  return pcn_pkt_redirect(ctx, md, md->in_port);
}
"""
GUARDED = TALKING.replace("WRITES", "#ifndef PCN_DRY_RUN\n(*count)++;\n#endif\n")
CARELESS = TALKING.replace("WRITES", "(*count)++;")


@pytest.mark.parametrize("kind", ["TC", "XDP_SKB"])
def test_what_it_says(engine: Engine, kind: str) -> None:
    cube, _ = create(engine, GUARDED, type=kind)
    port = cube.add_port("p0", {})
    bpf.update(cube.table_fd("hits", 0, "INGRESS"), bpf.u32(0), (41).to_bytes(8, "little"))
    record, frame = cube.explain(port, FRAME)
    assert [decision.text for decision in record.decisions] == [
        "10.0.0.1 at 80 is known, in two, 41 times",
        "by p0",
    ]
    assert record.decisions[0].values == {"address": "10.0.0.1", "from": 80, "table": "two", "n": 41}
    assert (record.out, record.reason, frame) == (port.index, None, FRAME)
    assert counter(cube, "hits") == 41
    assert bpf.lookup(cube.table_fd("seen", 0, "INGRESS"), bpf.u32(7), 4) is None


def test_a_program_that_would_write(engine: Engine) -> None:
    cube, _ = create(engine, CARELESS)
    with pytest.raises(HostError, match="write into map forbidden"):
        cube.explain(cube.add_port("p0", {}), FRAME)


def test_a_program_without_sentences(engine: Engine) -> None:
    quiet = (
        "static __always_inline int handle_rx(struct CTXTYPE *c, struct pkt_metadata *m) { return RX_DROP; }"
    )
    cube, _ = create(engine, quiet)
    with pytest.raises(CannotExplain):
        cube.explain(cube.add_port("p0", {}), FRAME)


def test_sentences_of_a_text() -> None:
    assert [sentence.name for sentence in sentences(GUARDED)] == ["FOUND", "GOES"]
    assert sentences('#define D(x, y)\nD(A, "a")') == []
