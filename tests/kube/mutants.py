"""What the tests of docs/kubernetes-conformance.md notice: each feature is taken out once, and its tests have to fail.

`python -m tests.kube.mutants [NAME…]` works on a copy of the tree in build/mutants. A mutant replaces one piece of
text, which stands in its file once; test_kube_docs.py sees to that, and that each test of the page is in the table.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
COPY = PROJECT / "build" / "mutants"
FILES = [f"tests/kube/test_kube_{part}.py" for part in ("conformance", "affinity", "changes")]
_FAILED = re.compile(r"^FAILED \S+::(\S+)", re.MULTILINE)
_ERROR = re.compile(r"^ERROR \S+::(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    name: str  # the feature that is missing
    file: str
    old: str
    new: str
    tests: tuple[str, ...]  # which have to fail


MUTANTS = [
    Mutant(
        "services lead to backends",
        "src/datapath/select.h",
        "if (!service) return CHOICE_NO_SERVICE;",
        "if (!service || service->head.slots) return CHOICE_NO_SERVICE;",
        (
            "test_a_basic_endpoint",
            "test_node_port",
            "test_an_endpoint_asks_its_service",
            "test_a_service_becomes_a_name_and_back",
            "test_who_is_published_is_reached",
            "test_endpoints_in_the_network_of_a_node",
            "test_two_services_of_the_same_pods",
            "test_a_service_is_created_again",
            "test_large_requests[ours-TCP]",
        ),
    ),
    Mutant(
        "each port of a VIP is a service of its own",
        "src/datapath/select.h",
        "struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};",
        "struct service_key key = {.vip = tuple->daddr, .vport = bpf_htons(80), .proto = tuple->proto};",
        ("test_multiport_endpoints", "test_ports_are_added_and_deleted"),
    ),
    Mutant(
        "TCP and UDP are services of their own",
        "src/datapath/select.h",
        "struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = tuple->proto};",
        "struct service_key key = {.vip = tuple->daddr, .vport = tuple->dport, .proto = PROTO_TCP};",
        ("test_one_port_number_for_two_protocols",),
    ),
    Mutant(
        "each backend has a port of its own",
        "src/datapath/open.h",
        "session->back.server_port = chosen.backend.port;",
        "session->back.server_port = bpf_htons(100);",
        ("test_each_endpoint_has_a_port_of_its_own", "test_multiport_endpoints"),
    ),
    Mutant(
        "a service that is deleted serves nobody",
        "src/ServiceTable.cpp",
        "      if (exists) change.removed_.push_back(wish.id);\n",
        "",
        (
            "test_services_come_and_go",
            "test_a_service_is_created_again",
            "test_a_service_becomes_a_name_and_back",
            "test_ports_are_added_and_deleted",
            "test_a_node_port_is_taken_away",
            "test_two_services_of_the_same_pods",
            "test_one_port_number_for_two_protocols",
        ),
    ),
    Mutant(
        "a backend that is deleted gets no new session",
        "src/Services.cpp",
        'if (service.backends.erase(parse_ipv4("ip", backend.ip)) == 0)',
        'if (service.backends.find(parse_ipv4("ip", backend.ip)) == service.backends.end())',
        (
            "test_a_basic_endpoint",
            "test_a_deleted_pod_is_asked_no_more",
            "test_a_terminating_pod_talks",
            "test_rolling_update_of_ten_replicas",
        ),
    ),
    Mutant(
        "flows of datagrams leave a backend that is gone",
        "src/datapath/session.h",
        "if (!opens && session->removals == removed) return true;",
        "if (!opens) return true;",
        (
            "test_a_flow_of_datagrams_moves_to_the_next_server",
            "test_the_target_port_changes_and_the_pod_with_it",
        ),
    ),
    Mutant(
        "connections outlive their service",
        "src/datapath/session.h",
        "if (proto == PROTO_TCP && !opens) return true;",
        "",
        ("test_an_operator_restarts",),
    ),
    Mutant(
        "hairpin: a pod that gets itself sees the VIP",
        "src/datapath/src_ip_rewrite.h",
        "if (client == session->back.server) {",
        "if (0) {",
        ("test_a_pod_reaches_itself", "test_an_endpoint_asks_its_service"),
    ),
    Mutant(
        "backends see the client's own address",
        "src/datapath/src_ip_rewrite.h",
        "  session->back.client = client;",
        "  session->back.client = session->front.server;",
        ("test_the_server_sees_the_pod", "test_external_traffic_stays_on_the_node"),
    ),
    Mutant(
        "pods see each other's own addresses",
        "testbed/cluster/node.py",
        'iifname "to_ekl0" oifname "vxlan0"',
        'oifname "vxlan0"',
        ("test_the_server_sees_the_pod", "test_pods_reach_pods"),
    ),
    Mutant(
        "a service without backends refuses",
        "src/datapath/frontend.h",
        "    default:\n      count_event(EVENT_REJECTED);\n      return punt(REASON_REJECT);",
        "    default:\n      return drop(EVENT_REJECTED);",
        (
            "test_without_endpoints_it_refuses_at_once",
            "test_a_basic_endpoint",
            "test_a_flow_of_datagrams_that_began_too_early",
            "test_who_is_published_is_reached",
        ),
    ),
    Mutant(
        "only local endpoints are reached from outside",
        "testbed/polykube.py",
        "local_only = cube == self._external and service.external_local",
        "local_only = False",
        ("test_external_traffic_stays_on_the_node",),
    ),
    Mutant(
        "fragments follow their first one",
        "src/datapath/fragments.h",
        "  return translate_fragment(ctx, pkt, note);",
        "  return drop(EVENT_DROP_FRAGMENT);",
        ("test_large_requests[ours-UDP]",),
    ),
    Mutant(
        "what belongs to no service goes to its pod",
        "src/datapath/support.h",
        "return index ? *index : NO_PORT;",
        "return NO_PORT;",
        ("test_pods_reach_pods", "test_a_terminating_pod_talks"),
    ),
    Mutant(
        "each answer comes from the VIP",
        "src/datapath/fast_path.h",
        "  if (!entry) {",
        # A bare ACK without options, as only the test sends it.
        "  if (packet_length(ctx) == 54 && !from_client && in->multi) return frontend_port_of(pkt.tuple.daddr);\n"
        "  if (!entry) {",
        ("test_a_packet_out_of_the_window_harms_nobody",),
    ),
    Mutant(
        "affinity: a client gets the backend that it has had",
        "src/datapath/open.h",
        "if (chosen.affinity &&\n      recall_backend(",
        "if (false &&\n      recall_backend(",
        ("test_a_client_stays_with_its_server", "test_affinity_is_switched"),
    ),
    Mutant(
        "affinity ends after its timeout",
        "src/datapath/affinity.h",
        "if ((__s32)(now - last->last_opened) > (__s32)seconds) return NOT_A_MEMBER;",
        "",
        ("test_after_the_timeout_a_client_may_move",),
    ),
    Mutant(
        "only source ranges are served",
        "src/datapath/select.h",
        "if (head->sources && !serves_source(",
        "if (false && !serves_source(",
        ("test_only_source_ranges_are_served",),
    ),
    Mutant(
        "a host takes over what the one before has left",
        "testbed/cluster/node.py",
        '["--cubes-dump-enable", "--cubes-dump-file", ',
        '["--cubes-dump-file", ',
        ("test_a_host_is_killed_and_comes_back",),
    ),
]


def main(names: list[str]) -> int:
    copy_tree()
    build()
    if not names and (failed := run([test for mutant in MUTANTS for test in mutant.tests])):
        print(f"with all features these fail: {', '.join(sorted(failed))}")
        return 1
    missed = 0
    for mutant in MUTANTS:
        if names and mutant.name not in names:
            continue
        start = time.monotonic()
        survivors = survivors_of(mutant)
        missed += len(survivors)
        verdict = f"NOT NOTICED by {', '.join(survivors)}" if survivors else f"{len(mutant.tests)} fail"
        print(f"without {mutant.name!r}: {verdict}, {time.monotonic() - start:.0f} s", flush=True)
    return 1 if missed else 0


def copy_tree() -> None:
    """What git knows of the tree, and what is new in it."""
    COPY.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(COPY / "tree", ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (source := PROJECT / name).is_file():
            target = COPY / "tree" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def build() -> None:
    command = [
        "cmake",
        "-S",
        COPY / "tree",
        "-B",
        COPY / "tree" / "build",
        f"-DPython3_EXECUTABLE={sys.executable}",
    ]
    log = COPY / "build.log"
    with log.open("w") as output:
        for argv in (command, ["cmake", "--build", COPY / "tree" / "build", "-j", "2"]):
            if subprocess.run(argv, stdout=output, stderr=output, check=False).returncode:
                raise SystemExit(f"the build fails, see {log}")


def run(tests: list[str]) -> set[str]:
    """Those that fail with our cubes."""
    chosen = " or ".join(sorted({test.partition("[")[0] for test in tests}))
    command = [PROJECT / "scripts/isolated.sh", sys.executable, "-m", "pytest", "-q", "-rfE", *FILES]
    command += ["-k", f"({chosen}) and not nftables", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=COPY / "tree", capture_output=True, text=True, check=False)
    (COPY / "tests.log").write_text(done.stdout + done.stderr)
    if done.returncode not in (0, 1):
        raise SystemExit(f"the tests do not run, see {COPY / 'tests.log'}")
    if errors := _ERROR.findall(done.stdout):
        print(f"  errors, see {COPY / 'tests.log'}: {', '.join(errors)}", flush=True)
    return set(_FAILED.findall(done.stdout))


def survivors_of(mutant: Mutant) -> list[str]:
    """The tests that do not fail although they should."""
    file = COPY / "tree" / mutant.file
    text = file.read_text()
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        build()
        failed = run(list(mutant.tests))
    finally:
        file.write_text(text)
    return [
        test for test in mutant.tests if not any(one == test or one.startswith(f"{test}[") for one in failed)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
