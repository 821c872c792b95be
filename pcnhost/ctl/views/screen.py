"""The screen of `pcnctl top`: what it shows, and what its keys do. Knows no terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from pcnhost.ctl.views.rates import Picture, Row

COLUMNS = {  # name in `--sort` -> head, leaf
    "new": ("NEW/s", "new-sessions"),
    "active": ("ACTIVE", "active"),
    "pin": ("PKT/s IN", "packets-in"),
    "pout": ("PKT/s OUT", "packets-out"),
    "bin": ("BYTE/s IN", "bytes-in"),
    "bout": ("BYTE/s OUT", "bytes-out"),
}
WIDTH = 10  # of each column
KEYS = "q quit  s sort  / filter  enter backends  d drops  t tables  esc back"
SERVICES, BACKENDS, DROPS, TABLES = "services", "backends", "drops", "tables"


def human(value: float | None) -> str:
    """At most six characters."""
    if value is None:
        return "-"
    if isinstance(value, float) and 0 < value < 10:
        return f"{value:.1f}"
    for unit in ("", "k", "M", "G", "T"):
        if value < 1000 or (unit == "" and value < 10_000):
            return f"{value:.0f}{unit}" if value >= 100 or unit == "" else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}P"


@dataclass
class Screen:
    """`title` names the cube. Keys change what is shown; `lines` shows it."""

    title: str
    sort: str = "new"
    filter: str = ""
    view: str = SERVICES
    chosen: int = 0
    typing: bool = False
    service: str = ""  # whose backends are shown
    picture: Picture | None = None
    _shown: Sequence[Row] = field(default=())
    _length: int = 0  # of the list that is shown, whose lines may be more than there is room for

    # --- keys

    def key(self, key: str) -> bool:
        """What a key does; whether to go on."""
        if self.typing:
            self._type(key)
            return True
        if key == "q":
            return False
        actions: dict[str, Callable[[], None]] = {
            "s": self._next_sort,
            "/": self._start_typing,
            "enter": self._open,
            "esc": self._back,
            "backspace": self._back,
            "d": lambda: self._toggle(DROPS),
            "t": lambda: self._toggle(TABLES),
            "up": lambda: self._move(-1),
            "k": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "j": lambda: self._move(1),
            "pageup": lambda: self._move(-10),
            "pagedown": lambda: self._move(10),
        }
        if key in actions:
            actions[key]()
        return True

    def _type(self, key: str) -> None:
        if key == "enter":
            self.typing = False
        elif key == "esc":
            self.typing, self.filter = False, ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1 and key.isprintable():
            self.filter += key
        self.chosen = 0

    def _next_sort(self) -> None:
        names = list(COLUMNS)
        self.sort = names[(names.index(self.sort) + 1) % len(names)]

    def _start_typing(self) -> None:
        self.typing = True

    def _open(self) -> None:
        if self.view == SERVICES and self._shown:
            self.service = self._shown[min(self.chosen, len(self._shown) - 1)].address
            self._show(BACKENDS)

    def _back(self) -> None:
        if self.view == SERVICES:
            self.filter = ""
        self._show(SERVICES)

    def _show(self, view: str) -> None:
        self.view, self.chosen = view, 0

    def _toggle(self, view: str) -> None:
        self._show(SERVICES if self.view == view else view)

    def _move(self, by: int) -> None:
        self.chosen = max(0, min(self.chosen + by, self._length - 1))

    # --- what is shown

    def lines(self, width: int, height: int) -> list[Text]:
        """Exactly `height` lines of at most `width` columns."""
        if self.picture is None:
            body = [Text(self.title, "bold"), Text("waiting for two samples …")]
        else:
            room = max(1, height - 8)
            body = [*self._head(self.picture, width), Text(), *self._body(self.picture, width, room)]
        body = [*body[: height - 1], *[Text()] * max(0, height - 1 - len(body))]
        body.append(Text(f"filter: {self.filter}_  (enter, esc)" if self.typing else KEYS, "reverse"))
        for line in body:
            line.truncate(width, overflow="ellipsis")
        return body

    def _head(self, picture: Picture, width: int) -> list[Text]:
        totals = picture.totals
        states = ", ".join(
            f"{name} {human(sum(of.values()))}" for name, of in picture.sessions.items() if any(of.values())
        )
        dropping = sorted(picture.drops.items(), key=lambda drop: -drop[1][0])
        drops = "  ".join(f"{reason} {human(rate)}" for reason, (rate, _) in dropping if rate)
        fullest = sorted(picture.tables, key=lambda table: -table.fill)
        return [
            Text(
                f"{self.title}  sort: {self.sort}{f'  filter: {self.filter}' if self.filter else ''}", "bold"
            ),
            Text(
                f"sessions: new {human(totals.get('new-sessions'))}/s, refused {human(totals.get('rejected'))}/s,"
                f" active {human(picture.active)}{f' ({states})' if states else ''}"
            ),
            Text(
                f"in {human(totals.get('frontend-packets'))} pkt/s {human(totals.get('frontend-bytes'))}B/s,"
                f" out {human(totals.get('backend-packets'))} pkt/s {human(totals.get('backend-bytes'))}B/s"
            ),
            Text(f"drops/s: {drops or 'none'}", "bold" if drops else ""),
            Text("tables: " + "  ".join(f"{table.name} {table.fill:.0%}" for table in fullest)),
        ]

    def _body(self, picture: Picture, width: int, room: int) -> list[Text]:
        if self.view == DROPS:
            rows = [("reason", "per second", "since the start")]
            for what, reasons in (("", picture.drops), ("control plane: ", picture.punts)):
                rows += [
                    (f"{what}{reason}", human(rate), str(count)) for reason, (rate, count) in reasons.items()
                ]
            return self._window(
                [Text(f"{name:<34}{rate:>12}{count:>20}") for name, rate, count in rows], room
            )
        if self.view == TABLES:
            lines = [Text(f"{'table':<20}{'entries':>12}{'limit':>12}{'fill':>8}{'evicted/s':>12}")]
            for table in picture.tables:
                evictions = human(table.evictions)
                lines.append(
                    Text(
                        f"{table.name:<20}{table.entries:>12}{table.limit:>12}{table.fill:>8.1%}{evictions:>12}"
                    )
                )
            return self._window(lines, room)
        return self._rows(self.rows_of(picture), width, room)

    def _window(self, lines: Sequence[Text], room: int) -> list[Text]:
        """The first line, and as many of the others as there is room for, from the one chosen on."""
        head, *rows = lines
        room = max(1, room - (len(rows) > room))  # the last line then says how many there are
        self._length = max(0, len(rows) - room) + 1
        self.chosen = min(self.chosen, self._length - 1)
        shown = [head, *rows[self.chosen : self.chosen + room]]
        if self._length > 1:
            last = self.chosen + len(shown) - 1
            shown.append(Text(f"{self.chosen + 1} to {last} of {len(rows)} (arrows)", "dim"))
        return shown

    def rows_of(self, picture: Picture) -> list[Row]:
        """What the view, the filter and the order leave of it."""
        rows: Sequence[Row] = picture.services
        if self.view == BACKENDS:
            rows = next((row.backends for row in rows if row.address == self.service), ())
        wanted = self.filter.lower()
        rows = [row for row in rows if wanted in f"{row.address} {row.name}".lower()]
        leaf = COLUMNS[self.sort][1]
        return sorted(rows, key=lambda row: (-row.value(leaf), row.address))

    def _rows(self, rows: Sequence[Row], width: int, room: int) -> list[Text]:
        self._shown, self._length = rows, len(rows)
        self.chosen = max(0, min(self.chosen, len(rows) - 1))
        shown = [
            name for at, name in enumerate(COLUMNS) if name == self.sort or (at + 1) * WIDTH <= width - 28
        ]
        while len(shown) > 1 and len(shown) * WIDTH > width - 24:
            shown.remove(next(name for name in reversed(shown) if name != self.sort))
        first = width - len(shown) * WIDTH
        what = f"BACKENDS of {self.service}" if self.view == BACKENDS else "SERVICE"
        head = what.ljust(first) + "".join(COLUMNS[name][0].rjust(WIDTH) for name in shown)
        start = max(0, self.chosen - room + 1)
        lines = [Text(head, "bold")]
        for number, row in enumerate(rows[start : start + room], start):
            marker = ">" if number == self.chosen else " "
            label = f"{marker}{row.address} {row.name}"
            label = label.ljust(first) if len(label) <= first else f"{label[: first - 1]}…"
            cells = (row.active if name == "active" else row.rates.get(COLUMNS[name][1]) for name in shown)
            text = label + "".join(human(cell).rjust(WIDTH) for cell in cells)
            lines.append(Text(text, "reverse" if number == self.chosen else ""))
        if not rows:
            lines.append(Text("nothing here" + (f" has {self.filter} in its name" if self.filter else "")))
        return lines
