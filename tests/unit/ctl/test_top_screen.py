"""The screen of `pcnctl top`, without a terminal: what is shown, and what keys do."""

from __future__ import annotations

from typing import Any

import pytest

from pcnhost.ctl.views.rates import Picture, Sample, between
from pcnhost.ctl.views.screen import COLUMNS, Screen, human


def stats(new: int, **more: Any) -> dict[str, Any]:
    return {
        "new-sessions": new,
        "packets-in": 10 * new,
        "bytes-in": 1000 * new,
        "active-sessions": new,
        **more,
    }


def services(factor: int, count: int = 3) -> list[dict[str, Any]]:
    return [
        {
            **stats(n * factor, vip=f"10.96.0.{n}", vport=80, proto="tcp", name=f"svc{n}"),
            "backend": [{**stats(n * factor, ip=f"10.20.0.{b}", port=8080, name="")} for b in range(2)],
        }
        for n in range(1, count + 1)
    ]


def picture(count: int = 3, names: str = "") -> Picture:
    tables = [{"name": "clients", "entries": 50, "limit": 100}, {"name": "flows", "entries": 1, "limit": 100}]
    sessions = {"tcp": {"opening": 1, "established": 4000}, "expired": 3}
    old = Sample(0.0, {"new-sessions": 0, "drops": {"no-session": 1}, "table": tables}, services(0, count))
    new = {
        "new-sessions": 30,
        "rejected": 4,
        "drops": {"no-session": 7, "malformed": 0},
        "table": tables,
        "sessions": sessions,
    }
    return between(old, Sample(2.0, new, services(8, count)))


def texts(screen: Screen, width: int = 80, height: int = 24) -> list[str]:
    lines = screen.lines(width, height)
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width
    return [line.plain for line in lines]


@pytest.fixture
def screen() -> Screen:
    return Screen("lb1  k8slbrp", picture=picture())


def test_what_is_shown(screen: Screen) -> None:
    shown = texts(screen)
    assert shown[1] == "sessions: new 15/s, refused 2.0/s, active 4001 (tcp 4001)"
    assert shown[3] == "drops/s: no-session 3.0"
    assert shown[4] == "tables: clients 50%  flows 1%"
    assert shown[6].split() == ["SERVICE", "NEW/s", "ACTIVE", "PKT/s", "IN", "PKT/s", "OUT", "BYTE/s", "IN"]
    assert shown[7].split() == [">10.96.0.3:80/TCP", "svc3", "12", "24", "120", "-", "12.0k"]
    assert [line.split()[0] for line in shown[8:10]] == ["10.96.0.2:80/TCP", "10.96.0.1:80/TCP"]


@pytest.mark.parametrize("sort", list(COLUMNS))
def test_the_column_to_sort_by_is_shown(sort: str) -> None:
    assert COLUMNS[sort][0] in texts(Screen("lb1", sort=sort, picture=picture()))[6]


def test_drill_down_and_back(screen: Screen) -> None:
    texts(screen)
    for key in ("down", "enter"):
        assert screen.key(key)
    shown = texts(screen)
    assert shown[6].startswith("BACKENDS of 10.96.0.2:80/TCP")
    assert shown[7].startswith(">10.20.0.0:8080")
    screen.key("esc")
    assert texts(screen)[6].startswith("SERVICE ")
    assert not screen.key("q")


def test_filter(screen: Screen) -> None:
    for key in ("/", *"svcq", "backspace", "2", "enter"):
        assert screen.key(key)
    shown = texts(screen)
    assert shown[7].startswith(">10.96.0.2:80/TCP") and shown[8] == ""
    assert "filter: svc2" in shown[0]
    screen.key("esc")
    assert texts(screen)[9].startswith(" 10.96.0.1")


def test_a_long_list_scrolls() -> None:
    screen = Screen("lb1", picture=picture(count=100))
    for _ in range(200):
        screen.key("down")
        shown = texts(screen)
        assert sum(line.startswith(">") for line in shown) == 1
    assert any(line.startswith(">10.96.0.1:80") for line in shown)


def test_drops_and_tables(screen: Screen) -> None:
    screen.key("d")
    assert any(line.split() == ["no-session", "3.0", "7"] for line in texts(screen))
    screen.key("t")
    assert any(line.split() == ["clients", "50", "100", "50.0%", "-"] for line in texts(screen))


def test_a_view_goes_away_by_its_own_key(screen: Screen) -> None:
    for key in ("d", "t"):
        screen.key(key)
        assert not any("svc1" in line for line in texts(screen))
        screen.key(key)
        assert any("svc1" in line for line in texts(screen))


def test_long_drops_scroll() -> None:
    drops = {f"reason{number}": number for number in range(30)}
    old = Sample(0.0, {"drops": dict.fromkeys(drops, 0)}, [])
    screen = Screen("lb1", picture=between(old, Sample(2.0, {"drops": drops}, [])))
    screen.key("d")
    seen: set[str] = set()
    for _ in range(40):
        shown = texts(screen)
        assert shown[6].startswith("reason ")
        seen |= {line.split()[0] for line in shown[7:-2]}
        screen.key("down")
    assert shown[-2].strip() == "16 to 30 of 30 (arrows)"
    assert set(drops) <= seen


@pytest.mark.parametrize("size", [(40, 10), (20, 8), (200, 60)])
def test_other_sizes(screen: Screen, size: tuple[int, int]) -> None:
    texts(screen, *size)


def test_before_the_first_picture() -> None:
    assert "waiting" in texts(Screen("lb1"))[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (0.04, "0.0"), (9.94, "9.9"), (10, "10"), (9999, "9999"), (12345, "12.3k"),
     (123456, "123k"), (5e6, "5.0M"), (999.9e15, "1000P")],
)  # fmt: skip
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert human(value) == text


def test_counters_that_started_anew_are_no_negative_rates() -> None:
    old, new = Sample(0.0, {"new-sessions": 50}, ()), Sample(1.0, {"new-sessions": 2}, ())
    assert between(old, new).totals["new-sessions"] == 0
