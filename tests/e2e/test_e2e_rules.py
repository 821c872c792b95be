"""What the network's rules ask of whatever stands between two ends, with real ones on both sides.

Clients and servers are sockets of the kernel in namespaces; what an attacker or an odd network would send comes from
a raw socket. The rules, one by one: docs/conformance.md.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.packet import Packet, Raw

from bench import kernel
from k8slbrp import abi
from pcnhost.engine import bpf
from testbed import topology
from testbed.api import Api
from testbed.lab import Lab
from testbed.netns import inside
from testbed.openings import Openings
from testbed.topology import ConnectedCube
from tests.datapath import maps
from tests.engine.support import eventually

pytestmark = pytest.mark.root

VIP, OTHER_VIP = "10.96.0.1", "10.96.0.2"
CUBE = "k8slbrp/rules"
BACKEND_PORT = 8080
ETH_P_IP = 0x0800
TCP_REPAIR = 19  # linux/tcp.h
KINDS = [("MULTI", "TC"), ("SINGLE", "TC"), ("MULTI", "XDP_DRV"), ("SINGLE", "XDP_DRV")]
SHORT = {
    "tcp-closed": 1,
    "udp-unanswered": 2,
}  # seconds; how long the others live is what the tests are about


@dataclass
class Scene:
    """A cube with one client and two servers whose sockets the test holds."""

    cube: ConnectedCube
    sockets: ExitStack
    maps: Path  # where the cube's maps are pinned

    @property
    def api(self) -> Api:
        return self.cube.api

    @property
    def client(self) -> str:
        return self.cube.network.clients[0]

    @property
    def client_ip(self) -> str:
        return self.cube.network.client_ips[0]

    def server_ip(self, number: int = 0) -> str:
        return self.cube.network.server_ips[number]

    def serve(self, vip: str, proto: str, *weights: int, vport: int = 80) -> str:
        """A service over the first servers; returns its path."""
        return self.cube.service(vip, vport, proto, list(weights or (1,)))

    def prefer_second_server(self, path: str) -> None:
        """From now on all new sessions of the service go there."""
        self.api.patch(f"{path}/backend/{self.server_ip(1)}/weight", 1)
        self.api.patch(f"{path}/backend/{self.server_ip(0)}/weight", 0)

    def remove_first_server(self, path: str) -> None:
        """The second one gets the new sessions of the service; those of the first one go on."""
        self.prefer_second_server(path)
        self.api.delete(f"{path}/backend/{self.server_ip()}")

    def open(self, namespace: str, kind: int, protocol: int = 0) -> socket.socket:
        with inside(namespace):
            made = socket.socket(socket.AF_INET, kind, protocol)
        made.settimeout(5)
        return self.sockets.enter_context(made)

    def wire(self, namespace: str) -> socket.socket:
        """The IPv4 packets that come into a namespace."""
        with inside(namespace):
            made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        made.settimeout(5)
        return self.sockets.enter_context(made)

    def listener(self, number: int = 0, port: int = BACKEND_PORT) -> socket.socket:
        listening = self.open(self.cube.network.servers[number], socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.server_ip(number), port))
        listening.listen(128)
        return listening

    def connect(self, address: tuple[str, int], port: int = 0) -> socket.socket:
        """A connection of the client, from `port`."""
        made = self.open(self.client, socket.SOCK_STREAM)
        if port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((self.client_ip, port))
        made.connect(address)
        return made

    def accept(self, listening: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        accepted, peer = listening.accept()
        accepted.settimeout(5)
        return self.sockets.enter_context(accepted), peer

    def connection(self, listening: socket.socket, port: int = 0) -> tuple[socket.socket, socket.socket]:
        """Both ends of a connection from the client's `port` to the VIP, over which data has gone."""
        client = self.connect((VIP, 80), port)
        server, _ = self.accept(listening)
        exchange(client, server)
        return client, server

    def forge(self, namespace: str, *packets: Packet) -> None:
        """Sends packets as they are, whoever they say they come from."""
        raw = self.open(namespace, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for packet in packets:
            raw.sendto(bytes(packet), (packet[IP].dst, 0))

    def state_of(self, port: int) -> int:
        """The state of the session of a client port."""
        key = abi.pack("client_key", ip=self.client_ip, port=port, proto=socket.IPPROTO_TCP)
        fd = kernel.open_map(self.maps / "clients")
        entry = bpf.lookup(fd, key, abi.size("session"))
        os.close(fd)
        assert entry
        return int(abi.struct("session").from_buffer_copy(entry).state)

    def forget_sessions(self) -> None:
        """Evicts all sessions."""
        Openings.at(self.maps / "openings").clear()
        for name in ("clients", "flows"):
            fd = kernel.open_map(self.maps / name)
            maps.clear(fd)
            os.close(fd)


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def connected(request: pytest.FixtureRequest, api: Api) -> Iterator[ConnectedCube]:
    mode, cube_type = request.param
    create = topology.create_multi if mode == "MULTI" else topology.create_single
    with Lab() as lab:
        network = topology.build(lab, clients=1, servers=2, start_servers=False)
        if cube_type != "TC":
            topology.prepare_for_xdp(network)
        create(api, "rules", network, type=cube_type)
        api.patch(f"{CUBE}/timeouts", SHORT)
        yield ConnectedCube("rules", lab, api, network)
        api.delete(CUBE)


@pytest.fixture
def scene(connected: ConnectedCube, lab: Lab) -> Iterator[Scene]:
    with ExitStack() as sockets:
        made = Scene(connected, sockets, lab.state_dir / "cubes" / "rules" / "ingress0")
        made.forget_sessions()  # of other tests, which may have used the same ports
        yield made
    connected.api.delete(f"{CUBE}/service")


def exchange(one: socket.socket, other: socket.socket, text: bytes = b"hello") -> None:
    """Data gets through in both directions."""
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(text)
        assert receiver.recv(100) == text


def forget(connection: socket.socket) -> None:
    """The end of a connection at a host that loses it: nobody is told."""
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    connection.close()


@contextmanager
def silent_server(scene: Scene) -> Iterator[None]:
    """What the first server sends to the client is lost."""
    server = ["ip", "-n", scene.cube.network.servers[0], "route"]
    to_client = ["blackhole", f"{scene.client_ip}/32"]
    subprocess.run([*server, "add", *to_client], check=True)
    try:
        yield
    finally:
        subprocess.run([*server, "del", *to_client], check=True)


# --- row 1: a connection closed by one side only lives on (RFC 9293 3.6, RFC 5382 REQ-5) ---


@pytest.mark.parametrize("first", ["client", "server"])
def test_a_half_closed_connection_goes_on(scene: Scene, first: str) -> None:
    path = scene.serve(VIP, "TCP", 1, 0)
    listening = scene.listener()
    client = scene.connect((VIP, 80))
    server, _ = scene.accept(listening)
    scene.prefer_second_server(path)  # where a client would get to whose session is forgotten
    closing_end, other = (client, server) if first == "client" else (server, client)
    closing_end.shutdown(socket.SHUT_WR)
    assert other.recv(100) == b""
    time.sleep(3)  # longer than a closed session lives here
    other.sendall(b"late")
    assert closing_end.recv(100) == b"late"


# --- row 2: an RST that both ends ignore changes nothing (RFC 5961 3.2, RFC 7857 2.2) ---


@pytest.mark.parametrize("of", ["client", "server"])
def test_a_forged_rst_does_not_end_a_session(scene: Scene, of: str) -> None:
    scene.serve(VIP, "TCP")
    listening = scene.listener()
    client = scene.connect((VIP, 80))
    server, peer = scene.accept(listening)
    exchange(client, server)
    client_port = client.getsockname()[1]
    if of == "client":
        rst = IP(src=scene.client_ip, dst=VIP) / TCP(sport=client_port, dport=80, flags="R", seq=1)
        scene.forge(scene.client, rst)
    else:
        rst = IP(src=scene.server_ip(), dst=peer[0]) / TCP(
            sport=BACKEND_PORT, dport=peer[1], flags="R", seq=1
        )
        scene.forge(scene.cube.network.servers[0], rst)
    reset = abi.CONSTANTS["SESSION_RESET"]
    assert eventually(lambda: scene.state_of(client_port) >= reset, seconds=5), "it has not come"
    exchange(client, server)
    time.sleep(3)
    exchange(server, client)


# --- row 3: a SYN on a live session changes nothing (RFC 9293 3.10.7.4, RFC 5961 4) ---


@pytest.mark.parametrize("beside", [False, True], ids=["", "beside another connection"])
def test_forged_syns_do_not_move_a_session(scene: Scene, beside: bool) -> None:
    """Nor one that has a source port of its own, because the server knows the client's from another connection."""
    pairs = []
    listening = scene.listener()
    if beside:
        scene.serve(OTHER_VIP, "TCP", 1, 0)
    path = scene.serve(VIP, "TCP", 1, 0)
    for vip in (OTHER_VIP, VIP) if beside else (VIP,):
        client = scene.connect((vip, 80), port=40000)
        server, seen_as = scene.accept(listening)
        pairs.append((client, server))
    assert (seen_as[1] != 40000) is beside
    scene.prefer_second_server(path)
    seen = scene.open(scene.cube.network.servers[0], socket.SOCK_RAW, socket.IPPROTO_TCP)
    for number in (77, 78):
        syn = IP(src=scene.client_ip, dst=VIP) / TCP(sport=40000, dport=80, flags="S", seq=number)
        scene.forge(scene.client, syn)
        while (segment := IP(seen.recv(100))[TCP]).seq != number:
            pass  # until it has come to the session's own server; the socket has a timeout
        assert segment.sport == seen_as[1]
    for client, server in pairs:
        exchange(client, server)


@pytest.mark.parametrize("after", ["S", "RS"], ids=["", "after an RST"])
def test_forged_syns_do_not_move_a_session_whose_server_is_removed(scene: Scene, after: str) -> None:
    """Though another server answers them; nor when an RST is forged as well."""
    path = scene.serve(VIP, "TCP", 1, 0)
    listening, other = scene.listener(), scene.listener(1)
    client, server = scene.connection(listening, 40000)
    scene.remove_first_server(path)
    seen = scene.open(scene.cube.network.servers[1], socket.SOCK_RAW, socket.IPPROTO_TCP)
    for number in (77, 78, 79):
        for flag in after:
            forged = TCP(sport=40000, dport=80, flags=flag, seq=number)
            scene.forge(scene.client, IP(src=scene.client_ip, dst=VIP) / forged)
        while IP(seen.recv(100))[TCP].seq != number:
            pass  # until it has come to the other server; the socket has a timeout
        exchange(client, server)
    other.settimeout(0.2)
    with pytest.raises(TimeoutError):
        other.accept()


@pytest.mark.parametrize("server_is", ["there", "restarted", "silent"])
def test_a_client_that_begins_anew_leaves_a_removed_server(scene: Scene, server_is: str) -> None:
    """From the same port, and at once: it is not for the old server to refuse, or to be waited for."""
    path = scene.serve(VIP, "TCP", 1, 0)
    listening, other = scene.listener(), scene.listener(1)
    client, server = scene.connection(listening, 40000)
    with silent_server(scene) if server_is == "silent" else nullcontext():
        scene.remove_first_server(path)
        forget(client)
        if server_is == "restarted":
            forget(server)
            listening.close()
        scene.connection(other, 40000)


def test_a_client_begins_anew_after_a_syn_that_it_has_not_sent(scene: Scene) -> None:
    """Or has given up: the other server has to be told, or it keeps that one in mind for a minute."""
    scene.api.patch(f"{CUBE}/timeouts", {"tcp-closed": 240})
    path, port = scene.serve(VIP, "TCP", 1, 0), 40077  # which the other server has never seen
    listening, other = scene.listener(), scene.listener(1)
    client, server = scene.connection(listening, port)
    scene.remove_first_server(path)
    forged = TCP(sport=port, dport=80, flags="S", seq=77)
    answers = scene.open(scene.client, socket.SOCK_RAW, socket.IPPROTO_TCP)
    scene.forge(scene.client, IP(src=scene.client_ip, dst=VIP) / forged)
    while IP(answers.recv(100))[TCP].ack != 78:
        pass  # until the other server has answered; the socket has a timeout
    exchange(client, server)
    forget(client)
    scene.connection(other, port)


# --- row 4: a direct connection and one through a VIP, of one client port to one backend ---


@pytest.mark.parametrize("first", ["direct", "vip"])
def test_direct_and_balanced_connections_of_one_port(scene: Scene, first: str) -> None:
    scene.serve(VIP, "TCP")
    listening = scene.listener()
    direct, vip = (scene.server_ip(), BACKEND_PORT), (VIP, 80)
    pairs = []
    for address in (direct, vip) if first == "direct" else (vip, direct):
        client = scene.connect(address, port=40000)
        server, _ = scene.accept(listening)
        pairs.append((client, server))
        for client, server in pairs:
            exchange(client, server)
            exchange(server, client)


@pytest.mark.parametrize("first", ["direct", "vip"])
def test_direct_and_balanced_datagrams_of_one_port(scene: Scene, first: str) -> None:
    scene.serve(VIP, "UDP")
    server = scene.open(scene.cube.network.servers[0], socket.SOCK_DGRAM)
    server.bind((scene.server_ip(), BACKEND_PORT))
    direct, vip = (scene.server_ip(), BACKEND_PORT), (VIP, 80)
    client = scene.open(scene.client, socket.SOCK_DGRAM)
    client.bind((scene.client_ip, 40001))
    for address in (direct, vip, direct, vip) if first == "direct" else (vip, direct, vip, direct):
        client.sendto(b"question", address)
        _, peer = server.recvfrom(100)
        server.sendto(b"answer", peer)
        assert client.recvfrom(100) == (b"answer", address)


# --- row 5: answers whose session is forgotten never reach the client under the backend's address ---


def test_a_forgotten_connection_survives(scene: Scene) -> None:
    scene.serve(VIP, "TCP")
    listening = scene.listener()
    client, server = scene.connection(listening)
    scene.forget_sessions()
    server.sendall(b"early")  # as the pod itself this would be answered by an RST that ends the connection
    time.sleep(0.1)
    client.sendall(b"go on")
    assert server.recv(100) == b"go on"
    assert client.recv(100) == b"early"


# --- row 6: fragments in any order (RFC 4787 REQ-14) ---


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 2, 0), (2, 1, 0)], ids=str)
@pytest.mark.parametrize("sender", ["client", "server"])
def test_fragments_in_any_order(scene: Scene, sender: str, order: tuple[int, ...]) -> None:
    scene.serve(VIP, "UDP")
    server = scene.open(scene.cube.network.servers[0], socket.SOCK_DGRAM)
    server.bind((scene.server_ip(), BACKEND_PORT))
    client = scene.open(scene.client, socket.SOCK_DGRAM)
    client.bind((scene.client_ip, 0))
    client_port = client.getsockname()[1]
    client.sendto(b"question", (VIP, 80))
    _, peer = server.recvfrom(100)
    payload = bytes(range(256)) * 12
    number = 100 * order[0] + 10 * order[1] + order[2]  # of each datagram another: notes live for 30 s
    if sender == "client":
        datagram = (
            IP(src=scene.client_ip, dst=VIP, id=number) / UDP(sport=client_port, dport=80) / Raw(payload)
        )
        namespace, receiver = scene.client, server
    else:
        datagram = IP(src=scene.server_ip(), dst=peer[0], id=number)
        datagram /= UDP(sport=BACKEND_PORT, dport=peer[1]) / Raw(payload)
        namespace, receiver = scene.cube.network.servers[0], client
    pieces = fragment(datagram, 1200)  # type: ignore[no-untyped-call]
    assert len(pieces) == 3
    wire = scene.wire(scene.cube.network.servers[0] if sender == "client" else scene.client)
    for piece in order:
        scene.forge(namespace, pieces[piece])
        time.sleep(0.02)
    data, peer = receiver.recvfrom(65536)
    assert data == payload
    arrived: Counter[int] = Counter()
    wire.settimeout(0.3)  # until nothing comes any more
    with suppress(TimeoutError):
        while True:
            packet = IP(wire.recv(2000))
            arrived[packet.len] += packet.id == number
    assert +arrived == Counter(len(piece) for piece in pieces)
    if sender == "server":
        assert peer == (VIP, 80)


# --- row 7: what a virtual address does not serve is refused at once, if its cube says so ---


@pytest.fixture
def refusing(scene: Scene) -> Iterator[Scene]:
    """A cube whose virtual addresses are nobody's; one has a TCP service on port 80 and nothing else."""
    scene.serve(VIP, "TCP")
    scene.api.patch(f"{CUBE}/unserved-ports", "reject")
    yield scene
    scene.api.patch(f"{CUBE}/unserved-ports", "pass")


def test_a_tcp_port_without_service_is_refused(refusing: Scene) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        refusing.connect((VIP, 81))
    assert time.monotonic() - started < 1
    listening = refusing.listener()
    client = refusing.connect((VIP, 80))
    exchange(client, refusing.accept(listening)[0])


def test_a_udp_port_without_service_is_unreachable(refusing: Scene) -> None:
    client = refusing.open(refusing.client, socket.SOCK_DGRAM)
    client.connect((VIP, 53))
    client.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        client.recv(100)


def test_a_ping_without_service_is_refused(refusing: Scene) -> None:
    command = ["ip", "netns", "exec", refusing.client, "ping", "-c", "1", "-W", "5", VIP]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"From {VIP} icmp_seq=1 Destination Host Unreachable" in done.stdout, (
        done.stdout
    )  # and of no router


def test_refusals_are_limited_and_never_answered(refusing: Scene) -> None:
    """A flood gets no more answers than the slow path's budget. An RST gets none: two refusers would go on for ever."""
    raw = refusing.open(refusing.client, socket.SOCK_RAW, socket.IPPROTO_RAW)
    answers = refusing.open(refusing.client, socket.SOCK_RAW, socket.IPPROTO_TCP)
    answers.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def refused(flags: str, count: int) -> int:
        packet = bytearray(bytes(IP(src=refusing.client_ip, dst=VIP) / TCP(dport=81, flags=flags)))
        for port in range(10_000, 10_000 + count):
            packet[20:22] = port.to_bytes(2)  # and the checksum is wrong, which is the receiver's business
            raw.sendto(packet, (VIP, 0))
        time.sleep(1)
        seen = 0
        while select.select([answers], [], [], 0)[0]:
            answer = IP(answers.recv(100))
            seen += answer.src == VIP and answer[TCP].sport == 81 and "R" in answer[TCP].flags
        return seen

    assert refused("R", 50) == 0
    started = time.monotonic()
    most = 20_000
    seen = refused("S", most)
    ticks = int(time.monotonic() - started) + 2
    assert 100 < seen <= ticks * 256 * (os.cpu_count() or 1) < most


# --- row 9: whoever needs another source port gets one at the first SYN ---


def test_no_connection_waits_for_a_source_port(scene: Scene) -> None:
    """Connections through two VIPs to one backend from the same ports: the later ones need other source ports."""
    for vip in (VIP, OTHER_VIP):
        scene.serve(vip, "TCP")
    listening = scene.listener()
    listening.setblocking(False)
    accepted: list[socket.socket] = []

    def connect_all(vip: str, ports: range) -> int:
        """How many had to send their SYN again, after a second."""
        waited = 0
        for port in ports:
            started = time.monotonic()
            scene.connect((vip, 80), port)
            waited += time.monotonic() - started > 0.9
            if select.select([listening], [], [], 5)[0]:
                accepted.append(scene.accept(listening)[0])
        return waited

    # Almost half of the ports below 1024 are in use then. With two attempts, some 20 of 100 connections would find
    # none that is free; with fifteen, one of 100,000.
    connect_all(VIP, range(500, 900))
    assert connect_all(OTHER_VIP, range(500, 600)) <= 1
    assert len(accepted) == 500
