"""What the screen of ``cyme top`` shows: pure, from figures to lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cyme.cli.kinds import text_of
from cyme.cli.live.figures import Figures
from cyme.cli.text import figures as words
from cyme.cli.text.clean import cut, one_line
from cyme.cli.text.paint import Paint, painted, state_paint
from cyme.cli.text.tables import Column, Row, table_lines

#: Of a low screen branches and queues take so many lines at most, of a high one more.
_SECTION_ROWS_MIN = 3
_SECTION_PART = 5
_ALERTS_MAX = 2
_WIDE_COLUMNS = 110
#: States that somebody should know the reason of.
_LAME = frozenset({"unknown", "unresponsive", "backoff", "disabled"})


def _vital(name: str) -> Callable[[Row], float]:
    def value(row: Row) -> float:
        found = row.get("vitals", {}).get(name)
        return float(found) if isinstance(found, int | float) else -1.0

    return value


#: What instances can be sorted by: the key that chooses it, what it takes, whether most is first.
SORTS: Mapping[str, tuple[str, Callable[[Row], Any], bool]] = {
    "cpu": ("c", _vital("cpu"), True),
    "memory": ("m", _vital("memory_bytes"), True),
    "name": ("n", lambda row: str(row.get("name")), False),
    "state": ("s", lambda row: (str(row.get("state")), str(row.get("name"))), False),
    "branch": ("b", lambda row: (str(row.get("branch")), str(row.get("name"))), False),
    "restarts": ("r", lambda row: int(row.get("restarts") or 0), True),
    "slots": ("u", _vital("busy"), True),
}

HELP = "q end   space pause   up, down, PgUp, PgDn scroll   i turn the order   " + "   ".join(
    f"{key} by {name}" for name, (key, _, _) in SORTS.items()
)


@dataclass(slots=True)
class View:
    """What the person at the screen chose.

    Attributes:
        sort: One of ``SORTS``.
        reverse: Whether the order is turned.
        skip: How many instances are scrolled past.
        is_paused: Whether the figures stand still.
        shows_help: Whether the keys are told.
        trouble: Why there are no new figures; empty if there are.
    """

    sort: str = "cpu"
    reverse: bool = False
    skip: int = 0
    is_paused: bool = False
    shows_help: bool = False
    trouble: str = ""


def _measured(name: str, write: Callable[[float], str]) -> Callable[[Row], str]:
    def value(row: Row) -> str:
        found = row.get("vitals", row).get(name)
        return write(found) if isinstance(found, int | float) else ""

    return value


def _slots(row: Row) -> str:
    vitals = row.get("vitals", {})
    if vitals.get("slots") is None:
        return ""
    busy = vitals.get("busy")
    return f"{'?' if busy is None else busy}/{vitals['slots']}"


def _own(name: str) -> Callable[[Row], str]:
    return lambda row: text_of(row.get(name))


def _flat(name: str, write: Callable[[float], str]) -> Callable[[Row], str]:
    def value(row: Row) -> str:
        found = row.get(name)
        return write(found) if isinstance(found, int | float) else ""

    return value


_BRANCHES = (
    Column("BRANCH", _own("id"), flexible=True),
    Column("STATE", _own("state"), paint=state_paint),
    Column("INST", _own("instances"), right=True),
    Column("LOAD", _measured("load", lambda load: f"{load:.2f}"), right=True),
    Column("MEM", _measured("memory_bytes", words.size), right=True),
    Column("LAG", _measured("hub_lag_s", words.seconds), right=True),
    Column("URL", _own("url"), flexible=True),
    Column("VERSION", _own("version"), wide=True),
)
_INSTANCES = (
    Column("INSTANCE", _own("name"), flexible=True),
    Column("APP", _own("app"), flexible=True),
    Column("STATE", _own("state"), paint=state_paint),
    Column("BRANCH", _own("branch"), flexible=True),
    Column("CPU%", _measured("cpu", lambda cores: f"{cores * 100:.0f}"), right=True),
    Column("MEM", _measured("memory_bytes", words.size), right=True),
    Column("SLOTS", _slots, right=True),
    Column("UP", _measured("uptime_s", words.age), right=True),
    Column("RST", _own("restarts"), right=True),
    Column("QUEUES", _own("queues"), flexible=True, wide=True),
    Column("REASON", _own("reason"), flexible=True, wide=True),
)
_QUEUES = (
    Column("QUEUE", _own("name"), flexible=True),
    Column("APP", _own("app"), flexible=True),
    Column("DEPTH", _own("depth"), right=True),
    Column("CONS", _own("consumers"), right=True),
    Column("OLDEST", _flat("oldest_s", words.age), right=True),
    Column("IN/S", _flat("in_rate", words.rate), right=True),
    Column("OUT/S", _flat("out_rate", words.rate), right=True),
    Column("TROUBLE", _own("trouble"), flexible=True),
)


def view_lines(
    figures: Figures, view: View, width: int | None, height: int | None, *, colour: bool
) -> list[str]:
    """Return the lines of the screen.

    Args:
        figures: How the cluster does.
        view: What the person chose.
        width: The columns of the terminal; None cuts nothing.
        height: Its lines; None shows all.
        colour: Whether there are colours.
    """
    lines = _head(figures, view, width, colour=colour)
    branches = sorted(figures.branches, key=lambda row: str(row.get("id")))
    queues = sorted(figures.queues, key=lambda row: -(row.get("depth") or 0))
    rows_max = None if height is None else max(_SECTION_ROWS_MIN, height // _SECTION_PART)
    upper = [
        *_section(_BRANCHES, branches, rows_max, width, colour=colour),
        *_section(
            _QUEUES if any(row.get("trouble") for row in queues) else _QUEUES[:-1],
            queues,
            rows_max,
            width,
            colour=colour,
        ),
    ]
    left = None if height is None else max(2, height - len(lines) - len(upper) - 3)
    _, key, descending = SORTS[view.sort]
    instances = sorted(figures.instances, key=key, reverse=descending is not view.reverse)
    view.skip = max(0, min(view.skip, len(instances) - (left or len(instances))))
    lines += upper
    lines += _section(
        _INSTANCES, instances, left, width, colour=colour, skip=view.skip, sort=view.sort
    )
    return lines[:height] if height is not None else lines


def _head(figures: Figures, view: View, width: int | None, *, colour: bool) -> list[str]:
    branches = Counter(str(row.get("state")) for row in figures.branches)
    instances = Counter(str(row.get("state")) for row in figures.instances)
    at = time.strftime("%H:%M:%S", time.localtime(figures.at))
    tasks = figures.tasks
    rates = (
        f"tasks {words.rate(float(tasks.get('rate') or 0))}/s, "
        f"failed {words.rate(float(tasks.get('failure_rate') or 0))}/s; "
        if tasks
        else ""
    )
    note = "PAUSED" if view.is_paused else view.trouble
    first = f"cyme {figures.cluster} by {figures.branch}  {at}  {one_line(note)}".rstrip()
    second = f"{rates}branches {_counted(branches)}; instances {_counted(instances)}"
    lines = [painted(_fit(first, width), Paint.BUSY if note else Paint.BOLD, colour=colour),
             _fit(second, width)]  # fmt: skip
    if view.shows_help:
        lines += _wrapped(HELP, width)
    troubles = [
        *_first([_told(alert) for alert in figures.alerts], "cyme get alerts"),
        *([] if _is_wide(width) else _first(_lame(figures.instances), "cyme status")),
    ]
    lines += [
        painted(_fit(f"! {one_line(text)}", width), Paint.BAD, colour=colour) for text in troubles
    ]
    return lines


def _told(alert: Row) -> str:
    kind, subject, reason = (str(alert.get(name)) for name in ("kind", "subject", "reason"))
    return f"{kind}: {reason}" if subject in reason else f"{kind} {subject}: {reason}"


def _lame(instances: Sequence[Row]) -> list[str]:
    """Return why instances do not run, for a screen that has no room for it beside them."""
    return [
        f"{row.get('name')} is {row.get('state')}: {row.get('reason')}"
        for row in sorted(instances, key=lambda row: str(row.get("name")))
        if row.get("state") in _LAME
    ]


def _first(texts: Sequence[str], command: str) -> list[str]:
    """Return the first of some texts, and which command shows the others."""
    more = len(texts) - _ALERTS_MAX
    return [*texts[:_ALERTS_MAX], *([f"and {more} more: {command}"] if more > 0 else [])]


def _section(
    columns: Sequence[Column],
    rows: Sequence[Row],
    rows_max: int | None,
    width: int | None,
    *,
    colour: bool,
    skip: int = 0,
    sort: str = "",
) -> list[str]:
    if not rows:
        return ["", painted(f"no {columns[0].title.lower()}", Paint.FAINT, colour=colour)]
    is_wide = _is_wide(width)
    shown = rows[skip : skip + rows_max] if rows_max is not None else rows
    used = [column for column in columns if is_wide or not column.wide]
    place = ""
    if len(shown) < len(rows):
        by = f" by {sort}" if sort else ""
        place = f"{skip + 1}-{skip + len(shown)} of {len(rows)}{by}"
    above = painted(_fit(place, width), Paint.FAINT, colour=colour)
    return [above, *table_lines(used, shown, width=width, colour=colour)]


def _is_wide(width: int | None) -> bool:
    return width is None or width >= _WIDE_COLUMNS


def _counted(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "0"


def _fit(text: str, width: int | None) -> str:
    return cut(text, width) if width is not None else text


def _wrapped(text: str, width: int | None) -> list[str]:
    lines: list[str] = [""]
    for part in text.split("   "):
        joined = f"{lines[-1]}   {part}" if lines[-1] else part
        if width is not None and len(joined) > width:
            lines.append(part)
        else:
            lines[-1] = joined
    return lines
