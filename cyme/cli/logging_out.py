"""Lines of the logs of several workers, as one stream of lines.

What was written is put in the order of time, by the moments that Celery begins its lines with; a
line without one belongs to the line before it. What is being written comes as it comes.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed
from cyme.cli.text.clean import log_line, one_line
from cyme.cli.text.paint import hue
from cyme.client.errors import ClientError, ConnectionFailed, NotFound, Timeout, Unavailable
from cyme.client.logs import LogStream
from cyme.client.messages import path_of

if TYPE_CHECKING:
    from cyme.cli.session import Session

#: So many logs are asked for at a time, and so many followed at most.
_AT_A_TIME = 8
FOLLOWED_MAX = 100
#: So many lines may wait to be printed; whoever brings more waits.
_LINES_WAITING_MAX = 10_000
_LOOK_S = 5.0
_TICK_S = 0.5
_PAUSE_S = 1.0
_PAUSE_S_MAX = 15.0
#: A break that is over at the next attempt is nothing to tell of.
_FAILURES_TOLD = 2

_MOMENT = re.compile(r"\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[,.]?\d*)")

Since = str | float | None


@dataclass(frozen=True, slots=True)
class Source:
    """An instance whose log is read."""

    app: str
    name: str


class LogPrinter:
    """Prints lines, each marked with its instance in a colour of its own where there are several.

    Args:
        session: Where to.
        marked: Whether lines are marked.
    """

    def __init__(self, session: Session, *, marked: bool) -> None:
        self._session = session
        self._marked = marked
        self._order: dict[str, int] = {}
        self._width = 0

    def expect(self, sources: Sequence[Source]) -> None:
        """Make room for the names of instances."""
        for source in sources:
            self._order.setdefault(source.name, len(self._order))
            self._width = max(self._width, len(source.name))

    def line(self, source: Source, text: str) -> None:
        """Print a line."""
        mark = ""
        if self._marked:
            name = f"{one_line(source.name):{self._width}} |"
            mark = hue(self._order.get(source.name, 0), name, colour=self._session.colour) + " "
        self._session.out(mark + log_line(text.rstrip("\r")))


def show(
    session: Session, printer: LogPrinter, sources: Sequence[Source], tail: int, since: Since
) -> None:
    """Print what was logged.

    Raises:
        CommandFailed: Some of it could not be had.
    """
    printer.expect(sources)

    def read(source: Source) -> list[str] | ClientError:
        try:
            return _read(session, source, tail, since)
        except ClientError as exc:
            if len(sources) == 1:
                raise
            return exc

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        logs = list(zip(sources, pool.map(read, sources), strict=True))
    for source, line in _in_order([(s, each) for s, each in logs if isinstance(each, list)]):
        printer.line(source, line)
    failed = [(source, each) for source, each in logs if isinstance(each, ClientError)]
    for source, error in failed:
        session.warn(f"{source.name}: {error.detail}")
    if failed:
        code = Exit.PARTLY if len(failed) < len(logs) else Exit.FAILED
        raise CommandFailed(f"{len(failed)} of {len(logs)} logs could not be had.", code)


def _read(session: Session, source: Source, tail: int, since: Since) -> list[str]:
    reply = session.calls.ask(
        "GET",
        path_of(source.app, "instances", source.name, "log"),
        query={"lines": tail, "since": since},
        headers={"Accept": "text/plain"},
    )
    text = reply.body.decode("utf-8", "replace")
    return text.removesuffix("\n").split("\n") if text else []


def _in_order(logs: Sequence[tuple[Source, Sequence[str]]]) -> Iterator[tuple[Source, str]]:
    """Yield the lines of several logs in the order of time."""
    entries: list[tuple[str, Source, str]] = []
    for source, lines in logs:
        moment = ""
        for line in lines:
            found = _MOMENT.match(line)
            if found:
                moment = found[1].replace("T", " ").replace(".", ",")
            entries.append((moment, source, line))
    entries.sort(key=lambda entry: entry[0])
    yield from ((source, line) for _, source, line in entries)


def follow(
    session: Session,
    printer: LogPrinter,
    sources: Sequence[Source],
    tail: int,
    since: Since,
    *,
    look: Callable[[], Sequence[Source]] | None,
) -> None:
    """Print what is logged until Ctrl-C, or until no instance is left.

    Args:
        session: What is asked, and where to.
        printer: What prints.
        sources: Whose logs.
        tail: So many of the last lines of each first.
        since: Those since this moment first.
        look: Returns whose logs there are by now; None if that does not change.

    Raises:
        CommandFailed: There are more than can be followed at a time.
    """
    followers: dict[Source, _Follower] = {}
    lines: Queue[tuple[Source, str]] = Queue(_LINES_WAITING_MAX)

    def add(found: Sequence[Source], first: int, moment: Since) -> None:
        fresh = [source for source in found if source not in followers]
        if len(followers) + len(fresh) > FOLLOWED_MAX:
            raise CommandFailed(
                f"{len(followers) + len(fresh)} logs are too many to follow; choose at most "
                f"{FOLLOWED_MAX} by -a, --branch or --selector.",
                Exit.USAGE,
            )
        printer.expect(fresh)
        for source in fresh:
            followers[source] = _Follower(session, source, lines, first, moment)

    add(sources, tail, since)
    try:
        looked_at = time.monotonic()
        while followers or look is not None:
            _print_waiting(session, printer, lines)
            for source in _ended(session, followers):
                if lines.empty():
                    followers.pop(source)
            if look is not None and time.monotonic() - looked_at > _LOOK_S:
                looked_at = time.monotonic()
                add(_looked(look), tail, None)
    finally:
        for follower in followers.values():
            follower.stop()


def _ended(session: Session, followers: Mapping[Source, _Follower]) -> list[Source]:
    """Return whose logs have ended, and say what keeps others from coming."""
    for source, follower in followers.items():
        if trouble := follower.news_of_trouble():
            session.warn(f"{source.name}: {trouble}")
    return [source for source, follower in followers.items() if follower.has_ended]


def _looked(look: Callable[[], Sequence[Source]]) -> Sequence[Source]:
    try:
        return look()
    except ClientError:
        return ()  # it is looked again, and the logs tell of a branch that is away


def _print_waiting(session: Session, printer: LogPrinter, lines: Queue[tuple[Source, str]]) -> None:
    try:
        printer.line(*lines.get(timeout=_TICK_S))
        while True:
            printer.line(*lines.get_nowait())
    except Empty:
        session.flush()


class _Follower:
    """Reads one log in a thread of its own, and goes on after a break."""

    def __init__(
        self,
        session: Session,
        source: Source,
        lines: Queue[tuple[Source, str]],
        tail: int,
        since: Since,
    ) -> None:
        self._session = session
        self._source = source
        self._lines = lines
        self._tail = tail
        self._since = since
        self._stream: LogStream | None = None
        self._is_stopped = threading.Event()
        self._failures = 0
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"log-{source.name}", daemon=True)
        self._thread.start()

    @property
    def has_ended(self) -> bool:
        """Whether nothing comes any more."""
        return not self._thread.is_alive()

    def news_of_trouble(self) -> str | None:
        """Return why nothing comes, once for each time that nothing does."""
        trouble, self._trouble = self._trouble, None
        return trouble

    def stop(self) -> None:
        """Read no more."""
        self._is_stopped.set()
        if self._stream is not None:
            self._stream.close()

    def _run(self) -> None:
        pause_s = _PAUSE_S
        while not self._is_stopped.is_set():
            try:
                with self._open() as self._stream:
                    self._failures = 0
                    for line in self._stream:
                        pause_s = _PAUSE_S
                        self._put(line)
            except (ConnectionFailed, Timeout, Unavailable) as exc:
                self._failures += 1
                if self._failures == _FAILURES_TOLD:
                    self._trouble = f"{exc.detail} It is tried again."
            except NotFound:
                return  # it was deleted
            except ClientError as exc:
                self._trouble = exc.detail
                return
            # What is logged meanwhile is asked for by the moment of the break.
            self._tail, self._since = 10_000, datetime.now(UTC).isoformat()
            self._is_stopped.wait(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_S_MAX)

    def _open(self) -> LogStream:
        query: dict[str, Any] = {"lines": self._tail, "since": self._since, "follow": 1}
        path = path_of(self._source.app, "instances", self._source.name, "log")
        opened = self._session.calls.open(path, query=query, headers={"Accept": "text/plain"})
        return LogStream(opened)

    def _put(self, line: str) -> None:
        while not self._is_stopped.is_set():
            try:
                self._lines.put((self._source, line), timeout=_TICK_S)
            except Full:  # whoever prints is slow
                continue
            return
