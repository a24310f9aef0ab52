"""``cyme describe``: all that is known of one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click

from cyme.cli import kinds
from cyme.cli.completing import typed_names
from cyme.cli.faults import BadUsage
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_rows
from cyme.cli.reading import Wanted, rows_of
from cyme.cli.session import Session
from cyme.cli.text import figures
from cyme.cli.text.clean import one_line
from cyme.cli.text.paint import Paint, painted, state_paint
from cyme.cli.text.tables import Column, Row, table_lines

_EVENTS_MAX = 10
_DESCRIBED = (
    kinds.APPS,
    kinds.INSTANCES,
    kinds.QUEUES,
    kinds.BRANCHES,
    kinds.TASKS,
    kinds.TOKENS,
)
#: What is asked for first.
_FIRST = ("state", "reason", "since", "trouble")
#: What to do about a state, by kind.
_ADVICE: Mapping[kinds.Kind, Mapping[str, str]] = {
    kinds.INSTANCES: {
        "disabled": "'cyme logs {0}' shows what its worker said; mend the cause, then "
        "'cyme start {0}'",
        "backoff": "it is tried again by itself; 'cyme logs {0}' shows what its worker said, "
        "'cyme start {0}' tries it now",
        "unresponsive": "it is restarted by itself if it hangs; 'cyme restart {0}' does it now",
        "unknown": "nothing is restarted while its broker or its branch does not answer; "
        "'cyme status' tells which. If its machine is gone for good: 'cyme delete instance {0} "
        "--force', and create it anew",
        "stopped": "'cyme start {0}' starts it",
    },
    kinds.BRANCHES: {
        "suspect": "wait some seconds, until it answers or is held to have failed",
        "failed": "start it on its machine, which takes its workers over; 'cyme get instances "
        "--branch {0}' lists what waits for it. If the machine is gone for good, start a branch "
        "with its id elsewhere",
    },
}
#: What to do about a queue, by the kind of its alert.
_OF_QUEUES = {
    "queue-unconsumed": "'cyme create consumer INSTANCE {0}' has an instance consume from it, "
    "'cyme purge {0} -a {1}' throws away what waits",
    "queue-deep": "'cyme scale {1} N' has more instances, 'cyme autoscale INSTANCE MAX' has one "
    "do more at a time",
}
#: What instances belong to, which are listed with it.
_WITH_INSTANCES = frozenset({kinds.APPS, kinds.QUEUES, kinds.BRANCHES})
_OF_INSTANCES = ("NAME", "STATE", "BRANCH", "QUEUES", "RESTARTS", "REASON")
#: Members that are shown in another way.
_TOLD_BELOW = frozenset({"alerts", "instances"})
#: Moments, which are shown with how long ago they were.
_MOMENTS = frozenset({"created_at", "updated_at", "as_of", "since", "at"})
_SIZES = frozenset({"memory_bytes"})
_MEASURES: Mapping[str, Callable[[float], str]] = {
    "uptime_s": figures.age,
    "oldest_s": figures.age,
    "sup_interval": figures.age,
    "heard_s": figures.seconds,
    "hub_lag_s": figures.seconds,
    "runtime_s": figures.seconds,
    "in_rate": lambda rate: f"{figures.rate(rate)}/s",
    "out_rate": lambda rate: f"{figures.rate(rate)}/s",
}


@click.command(
    "describe",
    cls=Command,
    examples="""
    cyme describe instance w1                   parameters, state, figures, what happened
    cyme describe queue orders -a shop          with depth and rates
    cyme describe branch branch1
    """,
    help="Show all that is known of things: app, instance, queue, branch, task or token.",
)
@click.argument(
    "words", nargs=-1, required=True, metavar="TYPE NAME...", shell_complete=typed_names(_DESCRIBED)
)
@takes(OUTPUT)
@pass_session
def command(session: Session, words: Sequence[str]) -> None:
    """Show all that is known of things."""
    kind, names = kinds.split_types(words, _DESCRIBED)
    if not names:
        raise BadUsage(f"Which {kind.singular}? 'cyme get {kind.plural}' lists them.")
    describe(session, kind, names)


def describe(session: Session, kind: kinds.Kind, names: Sequence[str]) -> None:
    """Print all that is known of things of a kind."""
    rows = rows_of(session, kind, Wanted(names=names, with_vitals=True))
    if session.given.output is not None and not form_of(session).is_table:
        print_rows(session, kind, rows, single=len(rows) == 1)
        return
    for index, row in enumerate(rows):
        if index:
            session.out("")
        session.out_lines(_described(session, kind, row))


def _described(session: Session, kind: kinds.Kind, row: Row) -> Iterator[str]:
    colour = session.colour
    yield painted(f"{kind.singular} {one_line(str(row[kind.key]))}", Paint.BOLD, colour=colour)
    first = {name: row[name] for name in _FIRST if row.get(name)}
    advice = _advice(kind, row)
    if advice:
        first["to_do"] = advice.format(one_line(str(row[kind.key])), one_line(str(row.get("app"))))
    yield from _members({**first, **row}, colour=colour, leave_out={kind.key, *_TOLD_BELOW})
    if kind is kinds.INSTANCES:
        yield from _figures(session, row)
        yield from _history(session, row)
    elif kind in _WITH_INSTANCES:
        yield from _instances(session, kind, row)


def _advice(kind: kinds.Kind, row: Row) -> str:
    if kind is kinds.QUEUES:
        return "; ".join(_OF_QUEUES[each] for each in row.get("alerts", ()) if each in _OF_QUEUES)
    return _ADVICE.get(kind, {}).get(str(row.get("state")), "")


def _members(
    row: Mapping[str, Any], *, colour: bool, leave_out: set[str], indent: str = "  "
) -> Iterator[str]:
    shown = {name: value for name, value in row.items() if name not in leave_out}
    width = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        word = name.removesuffix("_bytes").removesuffix("_s").replace("_", " ")
        title = f"{indent}{word:{width}}"
        if isinstance(value, str) and "\n" in value:
            yield f"{title}"
            yield from (f"{indent}  {one_line(line)}" for line in value.split("\n"))
            continue
        text = one_line(_text(name, value)) or figures.NOTHING
        paint = state_paint(text) if name == "state" else None
        yield f"{title}  {painted(text, paint, colour=colour)}"


def _text(name: str, value: object) -> str:
    if name == "broker" and isinstance(value, Mapping):
        return kinds.text_of(value.get("url"))
    if name in _MOMENTS and figures.parsed(value) is not None:
        return f"{value} ({figures.age_since(value, datetime.now(UTC))} ago)"
    if name in _SIZES and isinstance(value, int | float):
        return figures.size(value)
    if name == "cpu" and isinstance(value, int | float):
        return f"{value:.2f} cores"
    if name in _MEASURES and isinstance(value, int | float):
        return _MEASURES[name](value)
    return kinds.text_of(value)


def _instances(session: Session, kind: kinds.Kind, row: Row) -> Iterator[str]:
    """Yield the instances of an app or a branch, or those that consume from a queue."""
    name = str(row[kind.key])
    chosen = {kinds.QUEUES: Wanted(queue=name), kinds.BRANCHES: Wanted(branch=name)}
    app = {kinds.APPS: name, kinds.QUEUES: row.get("app")}.get(kind)
    rows = [
        each
        for each in rows_of(session, kinds.INSTANCES, chosen.get(kind, Wanted()))
        if app in {None, each.get("app")}
    ]
    yield "instances" if rows else "no instances"
    columns = [column for column in kinds.INSTANCES.columns if column.title in _OF_INSTANCES]
    if rows:
        yield from _table(session, columns, rows)


def _table(
    session: Session, columns: Sequence[Column], rows: Sequence[Row], *, headers: bool = True
) -> Iterator[str]:
    width = _inner(session.width)
    for line in table_lines(columns, rows, headers=headers, width=width, colour=session.colour):
        yield f"  {line}"


def _figures(session: Session, row: Row) -> Iterator[str]:
    """Yield what the worker uses; nothing where no branch can say."""
    from cyme.cli.reading import vitals  # noqa: PLC0415 - of instances only
    from cyme.client.errors import ClientError  # noqa: PLC0415 - as above

    with suppress(ClientError):
        measured = vitals(session).get("instances", {}).get(row["name"])
        if measured:
            yield "figures"
            yield from _members(measured, colour=session.colour, leave_out=set())


def _history(session: Session, row: Row) -> Iterator[str]:
    from cyme.client.errors import ClientError  # noqa: PLC0415 - of instances only

    with suppress(ClientError):
        events = _events_of(session, str(row["app"]), str(row["name"]))
        if events:
            yield "events"
            columns = [
                column for column in kinds.EVENTS.columns_for(wide=False)
                if column.title != "SUBJECT"
            ]  # fmt: skip
            yield from _table(session, columns, events[-_EVENTS_MAX:], headers=False)


def _events_of(session: Session, app: str, name: str) -> Sequence[Row]:
    """Return what happened to an instance, or what others know of that if its branch is away."""
    from cyme.client.errors import Unavailable  # noqa: PLC0415 - as above

    events: Sequence[Row]
    try:
        events = session.get(app, "instances", name, "events")
    except Unavailable:
        events = session.get("events", follow=0, app=app, instance=name, limit=_EVENTS_MAX)
    return events


def _inner(width: int | None) -> int | None:
    return width - 2 if width is not None else None
