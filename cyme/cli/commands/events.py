"""``cyme events``: what happened and what happens, with its reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from cyme.cli import kinds
from cyme.cli.options import NO_HEADERS, OUTPUT, Command, pass_session, takes
from cyme.cli.printing import Form, form_of, print_data, print_rows
from cyme.cli.selection import BRANCH, INSTANCE
from cyme.cli.session import Session
from cyme.cli.text.clean import folded, json_safe, one_line
from cyme.cli.text.figures import clock_time
from cyme.cli.text.paint import Paint, painted, state_paint
from cyme.client.events import Event
from cyme.client.info import plain
from cyme.client.streams import EventStream

_LIMIT = 100
#: Who follows events sees so many of the past first.
EVENTS_FIRST = 10
_KIND_COLUMNS = 22
#: On a narrower terminal the text is not folded into the room beside it.
_FOLDED_MIN = 20


@click.command(
    "events",
    cls=Command,
    examples="""
    cyme events                                 the last hundred
    cyme events -w                              and those to come, until Ctrl-C
    cyme events -w --tasks -a shop              Celery's task events too
    cyme events -k 'instance.*' --since 10m
    cyme events -i w1 --limit 20 -o json
    """,
    help="Show what happened in the cluster and why, the newest last.",
)
@click.option("-w", "--watch", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option(
    "-k",
    "--kind",
    "kind",
    metavar="KINDS",
    help="Only these, by commas; instance.* is all that begin so.",
)
@click.option(
    "-i",
    "--instance",
    metavar="NAMES",
    shell_complete=INSTANCE,
    help="Only about these instances, by commas.",
)
@click.option("--branch", metavar="IDS", shell_complete=BRANCH, help="Only of these branches.")
@click.option(
    "--since", metavar="WHEN", help="Since then: 90s, 10m, 2h, 1d ago, or 2030-01-31T12:00:00Z."
)
@click.option(
    "--limit",
    type=click.IntRange(0, 10000),
    metavar="N",
    help="So many of the past at most.  [default: 100, with --watch 10]",
)
@click.option("--tasks", is_flag=True, help="Celery's own events of tasks too.")
@takes(OUTPUT, NO_HEADERS)
@pass_session
def command(
    session: Session,
    watch: bool,
    since: str | None,
    limit: int | None,
    tasks: bool,
    **filters: str | None,
) -> None:
    """Show events."""
    from cyme.cli.moments import since_in  # noqa: PLC0415 - a leaf that logs need too

    query: dict[str, Any] = {
        **filters,
        "app": session.given.app,
        "since": since_in(since),
        "tasks": 1 if tasks else None,
    }
    if watch:
        default = None if since else EVENTS_FIRST
        follow(session, {**query, "limit": limit if limit is not None else default})
        return
    rows = session.get("events", **query, follow=0, limit=_LIMIT if limit is None else limit)
    print_rows(session, kinds.EVENTS, rows)


def follow(session: Session, query: Mapping[str, Any]) -> None:
    """Print events as they happen, until Ctrl-C."""
    form = form_of(session)
    told = 0
    stream: EventStream[Event] = EventStream(session.calls, query)
    with stream:
        for event in stream:
            print_event(session, event, form)
            session.flush()
            if stream.dropped > told:
                session.warn(f"{stream.dropped - told} events were too many to be told in time.")
                told = stream.dropped


def print_event(session: Session, event: Event, form: Form) -> None:
    """Print one event in one line."""
    row = {
        "id": event.id, "seq": event.seq, "at": event.at.isoformat(), "kind": event.kind,
        "reason": event.reason, "app": event.app, "instance": event.instance,
        "branch": event.branch, "data": plain(event.data),
    }  # fmt: skip
    if form.name == "json":
        session.out(json_safe(json.dumps(row, ensure_ascii=False)))
    elif form.name == "name":
        session.out(one_line(kinds.EVENTS.name_of(row)))
    elif not form.is_table:
        session.out_lines(["---"] if form.name == "yaml" else [])
        print_data(session, row, form)
    else:
        for line in _lines(session, row, wide=form.name == "wide"):
            session.out(line)


def _lines(session: Session, row: Mapping[str, Any], *, wide: bool) -> Iterator[str]:
    subject = kinds.EVENTS.columns[2].value(row)
    kind = one_line(str(row["kind"]))
    rest: Sequence[str] = [subject, str(row["reason"])]
    if wide:
        rest = [subject, str(row["branch"] or ""), str(row["data"].get("by") or ""),
                str(row["reason"])]  # fmt: skip
    text = "  ".join(one_line(part) for part in rest if part)
    at = clock_time(row["at"])
    margin = len(at) + max(_KIND_COLUMNS, len(kind)) + 4
    room = None if session.width is None else session.width - margin
    first, *others = [text] if room is None or room < _FOLDED_MIN else folded(text, room)
    paint = state_paint(kind.rpartition(".")[2]) or Paint.CYAN
    colour = session.colour
    padding = " " * (_KIND_COLUMNS - len(kind))
    painted_at = painted(at, Paint.FAINT, colour=colour)
    yield f"{painted_at}  {painted(kind, paint, colour=colour)}{padding}  {first}"
    yield from (" " * margin + more for more in others)
