"""The checksum helpers: a program rewrites an address and a port, and the sums stay right."""

import struct
from collections.abc import Callable

import pytest

from pcnhost.engine import Engine

from .programs import CROSS, program
from .support import create
from .wire import Wire, ipv4_checksum, udp_checksum, udp_frame

pytestmark = pytest.mark.root

_MAC = bytes.fromhex("020000000002")
_NEW_ADDRESS, _NEW_PORT = 0x0A0B0C0D, 0x1234

_REWRITE = f"""
  void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
  if (data + 42 > data_end) return RX_DROP;
  __be32 old_address = *(__be32 *)(data + 30), new_address = bpf_htonl({_NEW_ADDRESS});
  __be16 old_port = *(__be16 *)(data + 36), new_port = bpf_htons({_NEW_PORT});
  *(__be32 *)(data + 30) = new_address;
  *(__be16 *)(data + 36) = new_port;
"""
_BY_VALUE = (
    _REWRITE
    + """
  u32 pseudo = 4 | BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;
  if (pcn_l4_csum_replace(ctx, 40, old_address, new_address, pseudo)) return RX_DROP;
  if (pcn_l4_csum_replace(ctx, 40, old_port, new_port, 2 | BPF_F_MARK_MANGLED_0)) return RX_DROP;
  if (pcn_l3_csum_replace(ctx, 24, old_address, new_address, 4)) return RX_DROP;
"""
    + CROSS
)
_BY_DIFFERENCE = (
    _REWRITE
    + """
  __wsum diff = pcn_csum_diff(&old_address, 4, &new_address, 4, 0);
  if (pcn_l3_csum_replace(ctx, 24, 0, diff, 0)) return RX_DROP;
  if (pcn_l4_csum_replace(ctx, 40, 0, diff, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0)) return RX_DROP;
  if (pcn_l4_csum_replace(ctx, 40, old_port, new_port, 2 | BPF_F_MARK_MANGLED_0)) return RX_DROP;
"""
    + CROSS
)


@pytest.mark.parametrize("cube_type", ["TC", "XDP_SKB"])
@pytest.mark.parametrize("body", [_BY_VALUE, _BY_DIFFERENCE], ids=["by value", "by difference"])
def test_rewriting_keeps_the_sums_right(
    engine: Engine, wires: Callable[[int], list[Wire]], cube_type: str, body: str
) -> None:
    a, b = wires(2)
    cube, _ = create(engine, program(body), type=cube_type)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    for payload in (b"one", b"two!", bytes(range(256))):
        a.send(udp_frame(_MAC, "192.0.2.1", "198.51.100.7", 53, payload))
        packet = b.receive()
        assert packet is not None
        assert packet[30:34] == struct.pack("!I", _NEW_ADDRESS)
        assert packet[36:38] == struct.pack("!H", _NEW_PORT)
        assert packet[42:].startswith(payload)
        assert packet[24:26] == ipv4_checksum(packet)
        assert packet[40:42] == udp_checksum(packet)


@pytest.mark.parametrize("cube_type", ["TC", "XDP_SKB"])
def test_a_udp_packet_without_checksum_stays_so(
    engine: Engine, wires: Callable[[int], list[Wire]], cube_type: str
) -> None:
    a, b = wires(2)
    cube, _ = create(engine, program(_BY_VALUE), type=cube_type)
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    packet = bytearray(udp_frame(_MAC, "192.0.2.1", "198.51.100.7", 53, b"no sum"))
    packet[40:42] = b"\0\0"
    a.send(bytes(packet))
    received = b.receive()
    assert received is not None
    assert received[40:42] == b"\0\0"
    assert received[24:26] == ipv4_checksum(received)


def test_xdp_refuses_offsets_outside_the_packet(engine: Engine, wires: Callable[[int], list[Wire]]) -> None:
    a, b = wires(2)
    good = " && ".join(
        f"pcn_{helper}_csum_replace(ctx, {offset}, 1, 2, {flags}) == -EINVAL"
        for helper, offset, flags in [
            ("l3", 25, 2),
            ("l3", 4000, 2),
            ("l4", 70000, 2),
            ("l3", 24, 3),
            ("l3", 24, 0),
            ("l4", 40, 0x80),
        ]
    )
    cube, _ = create(engine, program(f"if (!({good})) return RX_DROP; {CROSS}"), type="XDP_SKB")
    cube.add_port("p0", {"peer": "w0"})
    cube.add_port("p1", {"peer": "w1"})
    packet = udp_frame(_MAC, "192.0.2.1", "198.51.100.7", 53, b"unchanged")
    a.send(packet)
    assert b.receive() == packet
