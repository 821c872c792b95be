"""ARP finds its way by the addresses inside."""

from __future__ import annotations

import pytest
from scapy.layers.l2 import ARP, Dot1Q, Ether

from tests.datapath.lab import CLIENT_IF, SERVER_IF, Lab, assert_dropped, assert_flooded, assert_out
from tests.datapath.packets import BROADCAST, CLIENT, MAC, OTHER_CLIENT, OTHER_MAC, SERVER, STRANGER
from tests.datapath.tables import ARP_REPLY

REAL, VIRTUAL = ("10.0.0.0", "255.255.255.0"), "10.9.8.0"
VIRTUAL_CLIENT = "10.9.8.1"
tagged_or_not = pytest.mark.parametrize("tags", [0, 1, 2])


def who_has(target: str, sender: str, tags: int = 0) -> bytes:
    return _arp(BROADCAST, tags, ARP(op="who-has", hwsrc=OTHER_MAC, psrc=sender, pdst=target))


def is_at(sender: str, target: str, tags: int = 0, mac: str = MAC) -> bytes:
    return _arp(mac, tags, ARP(op="is-at", hwsrc=OTHER_MAC, psrc=sender, hwdst=mac, pdst=target))


def _arp(mac: str, tags: int, arp: ARP) -> bytes:
    ether = Ether(src=OTHER_MAC, dst=mac)
    for vlan in range(tags):
        ether /= Dot1Q(vlan=vlan + 5)
    return bytes(ether / arp) + bytes(18)


@tagged_or_not
def test_arp_of_a_client(lab: Lab, tags: int) -> None:
    for packet in (
        who_has(SERVER, CLIENT, tags),
        is_at(CLIENT, SERVER, tags),
        who_has(CLIENT, CLIENT, tags),
        is_at(CLIENT, CLIENT, tags, BROADCAST),
        who_has(CLIENT, "0.0.0.0", tags),
    ):
        assert_out(lab.from_client(packet), SERVER_IF, packet)


@tagged_or_not
def test_arp_for_a_client(lab: Lab, tags: int) -> None:
    for packet in (who_has(OTHER_CLIENT, SERVER, tags), is_at(SERVER, OTHER_CLIENT, tags)):
        assert_out(lab.from_server(packet), lab.other_client_if, packet)


def test_arp_for_nobody(lab: Lab) -> None:
    for packet in (who_has(STRANGER, SERVER), is_at(SERVER, STRANGER)):
        outcome = lab.from_server(packet)
        if lab.multi:
            assert_dropped(outcome)
        else:
            assert_out(outcome, CLIENT_IF, packet)
    assert lab.tables.events() == ({"no_port": 2} if lab.multi else {})


@pytest.mark.parametrize(
    "packet",
    [who_has(SERVER, SERVER), is_at(SERVER, SERVER, mac=BROADCAST), who_has(SERVER, "0.0.0.0")],
    ids=["gratuitous-request", "gratuitous-reply", "probe"],
)
def test_arp_for_everybody(lab: Lab, packet: bytes) -> None:
    outcome = lab.from_server(packet)
    if lab.multi:
        assert_flooded(outcome, packet)
    else:
        assert_out(outcome, CLIENT_IF, packet)


@pytest.mark.parametrize("sender", [OTHER_CLIENT, "0.0.0.0"], ids=["gratuitous", "probe"])
def test_arp_about_the_address_of_a_client(lab: Lab, sender: str) -> None:
    """Only that client can have a say in it."""
    packet = who_has(OTHER_CLIENT, sender)
    assert_out(lab.from_server(packet), lab.other_client_if, packet)


@tagged_or_not
def test_request_for_a_virtual_client_asks_the_real_one(lab: Lab, tags: int) -> None:
    lab.tables.set_rewrite((*REAL, VIRTUAL))
    packet = who_has(VIRTUAL_CLIENT, SERVER, tags)
    # Nobody sums up ARP, so nothing has to stay right there.
    outcome = lab.datapath.send(SERVER_IF, packet, complete=False)
    assert_out(outcome, CLIENT_IF, who_has(CLIENT, SERVER, tags))
    packet = who_has(CLIENT, SERVER, tags)
    assert_out(lab.from_server(packet), CLIENT_IF, packet)


@tagged_or_not
def test_reply_of_a_client_goes_on_and_is_copied(lab: Lab, tags: int) -> None:
    """The control plane answers for the virtual address with the copy."""
    lab.tables.set_rewrite((*REAL, VIRTUAL))
    packet = is_at(CLIENT, SERVER, tags)
    outcome = lab.from_client(packet)
    assert (outcome.out, outcome.frame) == (SERVER_IF, packet)
    (punt,) = outcome.punts
    assert (punt.reason, punt.in_port, punt.frame) == (ARP_REPLY, CLIENT_IF, packet)


def test_other_arp_is_not_copied(lab: Lab) -> None:
    lab.tables.set_rewrite((*REAL, VIRTUAL))
    for packet in (who_has(SERVER, CLIENT), is_at(STRANGER, SERVER)):
        assert_out(lab.from_client(packet), SERVER_IF, packet)


def test_copies_are_limited(lab: Lab) -> None:
    lab.tables.set_rewrite((*REAL, VIRTUAL))
    packet = is_at(CLIENT, SERVER)
    outcomes = [lab.from_client(packet) for _ in range(1200)]
    assert {outcome.out for outcome in outcomes} == {SERVER_IF}
    copies = sum(len(outcome.punts) for outcome in outcomes)
    assert 256 <= copies <= 1024  # a tick may end meanwhile, and the test change its CPU
    assert lab.tables.events() == {}  # none was dropped
    assert lab.tables.copies(ARP_REPLY) == (copies, 1200 - copies)


def test_virtual_clients_can_be_switched_off(lab: Lab) -> None:
    lab.tables.set_rewrite((*REAL, VIRTUAL))
    lab.tables.set_rewrite(None)
    reply = is_at(CLIENT, SERVER)
    assert_out(lab.from_client(reply), SERVER_IF, reply)
    outcome = lab.from_server(who_has(VIRTUAL_CLIENT, SERVER))
    if lab.multi:
        assert_dropped(outcome)
    else:
        assert_out(outcome, CLIENT_IF, who_has(VIRTUAL_CLIENT, SERVER))
