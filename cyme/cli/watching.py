"""``-w``: what there is now, then every row that changes.

Rows come with the cluster's stream of events; from a branch that has none they are asked for at
intervals.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cyme.cli import kinds
from cyme.cli.kinds import Kind
from cyme.cli.printing import Form, form_of, print_data
from cyme.cli.reading import Wanted, has_labels, rows_of
from cyme.cli.text.clean import columns_of, one_line
from cyme.cli.text.tables import Column, Row, table_lines
from cyme.client.errors import (
    BadReply,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    NotSupported,
    Timeout,
    Unavailable,
)
from cyme.client.events import Event
from cyme.client.info import plain
from cyme.client.streams import EventStream

if TYPE_CHECKING:
    from cyme.cli.session import Session

POLL_S = 2.0

#: What a stream tells rows of; the rest, such as depths of queues, is asked for at intervals.
_STREAMED: Mapping[Kind, str] = {
    kinds.INSTANCES: "instance",
    kinds.APPS: "app",
    kinds.BRANCHES: "branch",
}

#: What a column takes from the beginning, as it will change.
_ROOM = {"STATE": len("unresponsive")}

_RESTLESS = frozenset(
    {"as_of", "heard_s", "load", "hub_lag_s", "memory_bytes", "oldest_s", "in_rate", "out_rate"}
)


def watch_rows(session: Session, kind: Kind, wanted: Wanted) -> None:
    """Print the rows of a kind, and each that changes, until Ctrl-C."""
    if kind is kinds.EVENTS:
        from cyme.cli.commands.events import EVENTS_FIRST, follow  # noqa: PLC0415 - events are a stream already

        instances = ",".join(wanted.names) or None
        limit = wanted.limit or EVENTS_FIRST
        filters = {"app": session.given.app, "instance": instances, "branch": wanted.branch}
        follow(session, {**filters, "limit": limit})
        return
    rows = rows_of(session, kind, wanted)
    printer = _Printer(session, kind, rows)
    printer.rows(rows)
    for changed in _changes(session, kind, wanted, rows):
        printer.rows([changed])


def _changes(session: Session, kind: Kind, wanted: Wanted, rows: Sequence[Row]) -> Iterator[Row]:
    if kind in _STREAMED:
        try:
            yield from _streamed(session, kind, wanted)
        except (NotFound, NotSupported, InvalidRequest, BadReply):
            session.warn("The branch has no stream of events; it is asked every two seconds.")
    yield from _polled(session, kind, wanted, rows)


def _streamed(session: Session, kind: Kind, wanted: Wanted) -> Iterator[Row]:
    noun = _STREAMED[kind]
    filters = {"rows": 1, "app": session.app}
    stream: EventStream[Event | Any] = EventStream(session.calls, filters, with_rows=True)
    with stream:
        for each in stream:
            row = each.data
            if each.kind == f"{noun}-gone":
                yield {**plain(row), "state": "gone"}
            elif each.kind == noun and _is_wanted(row, kind, wanted):
                yield plain(row)


def _is_wanted(row: Row, kind: Kind, wanted: Wanted) -> bool:
    return (
        (not wanted.names or row.get(kind.key) in wanted.names)
        and has_labels(row, wanted.labels)
        and wanted.branch in {None, row.get("branch")}
        and (wanted.state is None or wanted.state.lower() == str(row.get("state")).lower())
        and (wanted.queue is None or wanted.queue in (row.get("queues") or ()))
    )


def _polled(session: Session, kind: Kind, wanted: Wanted, rows: Sequence[Row]) -> Iterator[Row]:
    """Yield what differs from one list to the next; a limit on the first holds for all."""
    seen = _by_name(kind, rows)
    is_away = False
    while True:
        time.sleep(POLL_S)
        try:
            now = _by_name(kind, rows_of(session, kind, wanted))
        except (ConnectionFailed, Timeout, Unavailable) as exc:
            if not is_away:
                session.warn(f"{exc.detail} It is asked again.")
            is_away = True
            continue
        is_away = False
        for name, row in now.items():
            if _what_matters(row) != _what_matters(seen.get(name)):
                yield row
        yield from ({**row, "state": "gone"} for name, row in seen.items() if name not in now)
        seen = now


def _by_name(kind: Kind, rows: Iterable[Row]) -> dict[str, Row]:
    names = ("app", "instance", kind.key)
    return {json.dumps([row.get(name) for name in names]): row for row in rows}


def _what_matters(row: Row | None) -> str:
    """Return a row without what changes at every look."""
    return json.dumps({name: row[name] for name in row if name not in _RESTLESS} if row else None)


class _Printer:
    """Prints rows as they come, in the columns of the first ones."""

    def __init__(self, session: Session, kind: Kind, rows: Sequence[Row]) -> None:
        self._session = session
        self._kind = kind
        self._form = form_of(session)
        self._columns: Sequence[Column] = kind.columns_for(wide=self._form.name == "wide")
        self._widths = [_ROOM.get(column.title, 0) for column in self._columns]
        self._widen(rows)
        self._headers = session.given.headers

    def rows(self, rows: Sequence[Row]) -> None:
        """Print rows."""
        if self._form.name == "name":
            self._session.out_lines(one_line(self._kind.name_of(row)) for row in rows)
        elif not self._form.is_table:
            for row in rows:
                self._one(row)
        elif rows or self._headers:
            self._widen(rows)
            self._session.out_lines(
                table_lines(
                    self._columns,
                    rows,
                    headers=self._headers,
                    width=self._session.width,
                    colour=self._session.colour,
                    widths_min=[max(len(column.title), width) for column, width in
                                zip(self._columns, self._widths, strict=True)],
                )
            )  # fmt: skip
            self._headers = False
        self._session.flush()

    def _widen(self, rows: Sequence[Row]) -> None:
        """Have columns be as wide as all that was seen, so that later rows stand below them."""
        self._widths = [
            max([width, *(columns_of(one_line(column.value(row))) for row in rows)])
            for column, width in zip(self._columns, self._widths, strict=True)
        ]

    def _one(self, row: Row) -> None:
        """Print data: JSON in one line each, so that a reader can tell them apart."""
        if self._form.name == "json":
            self._session.out(json.dumps(row))
        else:
            if self._form.name == "yaml":
                self._session.out("---")
            print_data(self._session, row, Form(self._form.name, self._form.fill))
