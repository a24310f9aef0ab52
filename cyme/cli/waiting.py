"""Waiting until instances are as they should be, with a bar where a person looks on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyme.cli import environment
from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed
from cyme.cli.text.clean import one_line
from cyme.client.errors import NotFound

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row

WAIT_S = 120.0
_POLL_S = 0.25
_POLL_S_MAX = 1.0
#: More instances than this are looked at in one list.
_ALONE_MAX = 5

#: Is it done with an instance, whose row is None where there is none? Raises where it never will.
Goal = Callable[[str, "Row | None"], bool]


@dataclass
class Seen:
    """What was seen of the instances so far.

    Attributes:
        states: The state of each, and the reason.
        restarts: How often each had been restarted at first, and at last.
        done: Those that are as they should be.
    """

    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    restarts: dict[str, tuple[int, int]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)


def is_running(name: str, row: Row | None) -> bool:
    """The goal that a worker runs."""
    if row is None:
        raise CommandFailed(f"There is no instance named {name!r} any more.", Exit.NOT_FOUND)
    if row.get("state") == "disabled":
        raise CommandFailed(
            f"The instance {name} does not run: {row.get('reason')}. 'cyme logs {name}' shows "
            f"what its worker said, 'cyme start {name}' gives it another chance."
        )
    return row.get("state") == "running"


def is_stopped(name: str, row: Row | None) -> bool:
    """The goal that a worker does not run."""
    del name
    return row is None or row.get("state") == "stopped"


def is_gone(name: str, row: Row | None) -> bool:
    """The goal that there is no such instance."""
    del name
    return row is None


def runs_anew(before: Mapping[str, Sequence[int]]) -> Goal:
    """Return the goal that workers run, as other processes than before."""

    def goal(name: str, row: Row | None) -> bool:
        old = list(before.get(name, ()))[:1]
        return is_running(name, row) and list((row or {}).get("pids", ()))[:1] != old

    return goal


def in_state(state: str) -> Goal:
    """Return the goal that an instance is in a state, whichever."""
    goals: Mapping[str, Goal] = {"running": is_running, "stopped": is_stopped, "deleted": is_gone}

    def any_state(name: str, row: Row | None) -> bool:
        if row is None:
            raise CommandFailed(f"There is no instance named {name!r}.", Exit.NOT_FOUND)
        return row.get("state") == state

    return goals.get(state, any_state)


def wait_for(
    session: Session, names: Sequence[str], goal: Goal, *, what: str, timeout_s: float | None
) -> None:
    """Wait until all instances are as they should be.

    Args:
        session: What is asked.
        names: The instances.
        goal: What they should be.
        what: That in words, as ``running``.
        timeout_s: How long, in seconds; two minutes if None.

    Raises:
        CommandFailed: They never will be, or were not in time.
    """
    deadline = time.monotonic() + (timeout_s or WAIT_S)
    seen = Seen()
    pause_s = _POLL_S
    with _progress(len(names), what) as report:
        while True:
            for name, row in _look(session, [each for each in names if each not in seen.done]):
                state = (str((row or {}).get("state", "gone")), str((row or {}).get("reason", "")))
                if seen.states.get(name) != state:
                    seen.states[name] = state
                    report(seen, f"{name}: {': '.join(part for part in state if part)}")
                restarts = int((row or {}).get("restarts") or 0)
                seen.restarts[name] = (seen.restarts.get(name, (restarts,))[0], restarts)
                if goal(name, row):
                    seen.done.add(name)
                    report(seen, "")
            if len(seen.done) == len(names):
                return
            if time.monotonic() > deadline:
                raise _too_late(seen, names, what, timeout_s or WAIT_S)
            time.sleep(min(pause_s, max(0.0, deadline - time.monotonic()) + 0.01))
            pause_s = min(_POLL_S_MAX, pause_s * 1.2)


def _too_late(seen: Seen, names: Sequence[str], what: str, timeout_s: float) -> CommandFailed:
    missing = [name for name in names if name not in seen.done]
    state, reason = seen.states.get(missing[0], ("unknown", ""))
    others = f" and {len(missing) - 1} others are" if len(missing) > 1 else " is"
    return CommandFailed(
        f"After {timeout_s:g} s {missing[0]}{others} not {what}: {missing[0]} is {state}"
        f"{f' ({reason})' if reason else ''}.{_again(seen, missing[0])}",
        Exit.TIMED_OUT,
    )


def _again(seen: Seen, name: str) -> str:
    """Say that a worker ended again and again, which its state alone may not tell."""
    first, last = seen.restarts.get(name, (0, 0))
    if last <= first:
        return ""
    times = "once" if last == first + 1 else f"{last - first} times"
    return f" It was restarted {times} meanwhile; 'cyme describe instance {name}' tells why."


def _look(session: Session, names: Sequence[str]) -> Iterator[tuple[str, Row | None]]:
    if len(names) > _ALONE_MAX:
        rows = {str(row["name"]): row for row in session.get("instances", details=True)}
        yield from ((name, rows.get(name)) for name in names)
        return
    for name in names:
        try:
            yield name, session.get("instances", name)
        except NotFound:
            yield name, None


Report = Callable[[Seen, str], None]


@contextmanager
def _progress(total: int, what: str) -> Iterator[Report]:
    """Yield what reports progress: a bar on a terminal, plain lines elsewhere."""
    if not environment.takes_colour(sys.stderr):
        yield lambda _seen, line: _write(line)
        return
    from rich.console import Console  # noqa: PLC0415 - only where somebody looks on
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text  # noqa: PLC0415 - as above

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(what, total=total)

        def report(seen: Seen, line: str) -> None:
            bar.update(task, completed=len(seen.done))
            if line:
                bar.console.print(Text(one_line(line)))

        yield report


def _write(line: str) -> None:
    if line:
        sys.stdout.flush()
        sys.stderr.write(one_line(line) + "\n")
        sys.stderr.flush()
