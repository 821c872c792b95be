"""Who has to go when there are too many connections, and who need not."""

from __future__ import annotations

import pytest

from pcnhost.rest import protocol
from pcnhost.rest.protocol import Connections


class Caller:
    def __init__(self) -> None:
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def crowd(silent: int = 0, new: int = 0, idle: int = 0, busy: int = 0) -> tuple[Connections, list[Caller]]:
    """A full one, and who is in it, in this order."""
    most = silent + new + idle + busy
    connections, callers = Connections(most), [Caller() for _ in range(most)]
    kinds = ["silent"] * silent + ["new"] * new + ["idle"] * idle + ["busy"] * busy
    for kind, caller in zip(kinds, callers, strict=True):
        getattr(connections, kind)(caller)
    return connections, callers


def gone(callers: list[Caller]) -> list[int]:
    return [number for number, caller in enumerate(callers) if caller.aborted]


@pytest.mark.parametrize(
    ("kinds", "first"),
    [
        ({"silent": 2, "new": 2, "idle": 2, "busy": 2}, 0),
        ({"new": 2, "idle": 2, "busy": 2}, 0),
        ({"idle": 2, "busy": 2}, 0),
    ],
)
def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch, kinds: dict[str, int], first: int) -> None:
    monkeypatch.setattr(protocol, "GRACE_S", 0)
    connections, callers = crowd(**kinds)
    assert connections.make_room() == 0
    assert gone(callers) == [first]
    assert connections.make_room() == 0  # there is room now
    assert gone(callers) == [first]


@pytest.mark.parametrize("kinds", [{"silent": 1, "idle": 1}, {"new": 1, "idle": 1}, {"busy": 2}])
def test_who_has_just_come_or_is_being_served_need_not(kinds: dict[str, int]) -> None:
    connections, callers = crowd(**kinds)
    assert connections.make_room() > 0
    assert gone(callers) == []


def test_a_request_that_goes_on_arriving_makes_nobody_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "GRACE_S", 0)
    connections, callers = crowd(new=2)
    connections.new(callers[0])
    assert connections.make_room() == 0
    assert gone(callers) == [0]


def test_who_leaves_makes_room() -> None:
    connections, callers = crowd(silent=1, new=1, idle=1, busy=1)
    for caller in callers:
        connections.remove(caller)
    assert len(connections) == 0
    assert connections.make_room() == 0
