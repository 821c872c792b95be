"""Whatever the datapath drops or hands to the control plane has a counter that is shown, and a name in `explain`."""

from __future__ import annotations

import re

from k8slbrp import abi
from pcnhost.engine.decisions import sentences
from testbed.host import PROJECT

SOURCES = PROJECT / "src"
DATAPATH = "".join(path.read_text() for path in (SOURCES / "K8sLbrp_dp.c", *SOURCES.glob("datapath/*.h")))
STATISTICS = (SOURCES / "Statistics.cpp").read_text()
STATS = (SOURCES / "K8slbrpStats.cpp").read_text()


def shown(text: str, call: str, prefix: str) -> set[str]:
    return set(re.findall(rf"{call}\(abi::({prefix}\w+)\)", text))


def test_every_drop_is_shown() -> None:
    dropped = set(re.findall(r"\bdrop(?:_now)?\((?:[^()]*, )?(EVENT_\w+)\)", DATAPATH))
    dropped |= set(re.findall(r"count_event\((EVENT_\w+)\);\n    return RX_DROP", DATAPATH))
    dropped |= set(re.findall(r"return (EVENT_\w+);", DATAPATH))  # why there is no copy
    assert len(dropped) > 12
    drops = STATISTICS[STATISTICS.index("Statistics::drops()") : STATISTICS.index("Statistics::punts()")]
    assert shown(drops, "event", "EVENT_") == dropped


def test_every_event_is_shown() -> None:
    """Fragments that are held show among the punts."""
    events = {name for name in abi.CONSTANTS if re.fullmatch(r"EVENT_\w+", name)} - {"EVENT_COUNT"}
    assert shown(STATISTICS + STATS, "event", "EVENT_") == events - {"EVENT_FRAGMENT_HELD"}


def test_every_punt_is_shown() -> None:
    reasons = {name for name in abi.CONSTANTS if re.fullmatch(r"REASON_\w+", name)} - {"REASON_COUNT"}
    assert set(re.findall(r"\bREASON_[A-Z]\w+", DATAPATH)) - {"REASON_COUNT"} == reasons
    assert shown(STATISTICS, "given", "REASON_") == reasons


def test_explain_names_them() -> None:
    text = {sentence.name: sentence.text for sentence in sentences(DATAPATH)}
    events = re.search(r"\{event:([^}]+)\}", text["DROPPED"])
    reasons = re.search(r"\{reason:([^}]+)\}", text["CONTROL_PLANE"])
    states = re.search(r"\{state:([^}]+)\}", text["SESSION"])
    assert events and reasons and states
    known = [name.removeprefix("drop_") for name in abi.names("EVENT_")[:-1]]
    assert events[1].replace("-", "_").split("|") == known
    assert reasons[1].replace("-", "_").split("|") == list(abi.names("REASON_")[:-1])
    assert len(states[1].split("|")) == abi.CONSTANTS["SESSION_STATES"]
