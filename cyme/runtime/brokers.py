"""The brokers in use, each with one greenlet and one connection for remote control.

One greenlet a broker, because concurrent broadcasts that share a connection pool wait for each
other for ever, and because a hung broker must delay nobody but itself. The greenlet surveys the
workers at intervals and does, in between and in order, what others ask of it.

A question reaches every worker on the broker, whomever it is meant for. Where many branches share
a broker the time between two full surveys is stretched, lest the workers drown in questions; but
who missed a question is asked again, and the broker is seen to answer, at the usual interval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Signalled
from gevent.pool import Group
from gevent.queue import Empty, Full
from gevent.queue import Queue as Inbox

from cyme.core.model import Broker
from cyme.core.ports import Clock, Control, Controls
from cyme.core.workers import Report
from cyme.errors import BrokerUnavailable, Overloaded
from cyme.runtime.control_in_turn import ControlInTurn, Job
from cyme.runtime.journal import Journal
from cyme.runtime.telemetry.measures import BrokerMeasures, by_broker

logger = logging.getLogger(__name__)

JOBS_MAX = 1000
BROKERS_MAX = 64

SURVEY_TIMEOUT_S = 2.0
URGENT_PERIOD_S = 0.1
URGENT_TIMEOUT_S = 0.4
LIMITS_EVERY_SURVEYS = 6
RETRY_S_FIRST = 1.0
RETRY_S_MAX = 10.0

#: A broker that nobody used for so long is left, in seconds.
IDLE_CLOSE_S = 60.0


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What is known of a broker.

    Attributes:
        up: Whether it answers; None before the first attempt.
        since: Since when (monotonic seconds).
        reason: Why it is down, in words; empty when it is not.
        revived: Whether it was down before; its workers may still be on their way back.
    """

    up: bool | None
    since: float
    reason: str = ""
    revived: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a survey learnt of one node.

    Attributes:
        asked_at: When it was asked (monotonic seconds).
        report: What it said, None if it did not answer in time.
    """

    asked_at: float
    report: Report | None


@dataclass(frozen=True, slots=True)
class Watched:
    """The nodes that a broker's surveys ask.

    Attributes:
        nodes: All of them, asked in every full survey.
        doubted: Those that missed a question, asked at every interval, however far it is
            stretched for the others.
        urgent: Those whose answer is waited for, asked several times a second.
        limits_wanted: Whether the next full survey should ask for limits as well.
    """

    nodes: tuple[str, ...] = ()
    doubted: tuple[str, ...] = ()
    urgent: tuple[str, ...] = ()
    limits_wanted: bool = False


class _Kind(Enum):
    """Whom a survey asks: all, those that missed a question, or those that start."""

    FULL = 1
    CHECK = 2
    URGENT = 3


class BrokerWatch:
    """One broker: its connection, its greenlet, what is known of it."""

    def __init__(
        self,
        broker: Broker,
        control: Control,
        *,
        clock: Clock,
        journal: Journal,
        interval_s: float,
        stretch: Callable[[], float],
        on_news: Callable[[], None],
    ) -> None:
        self.broker = broker
        self._control = control
        self._clock = clock
        self._journal = journal
        self._interval_s = interval_s
        self._stretch = stretch
        self._on_news = on_news
        self._inbox: Inbox[tuple[Job, AsyncResult[object]]] = Inbox(JOBS_MAX)
        self._wake = Signalled()
        self._watched = Watched()
        self._view = BrokerView(None, clock.monotonic())
        self._answers: dict[str, Answer] = {}
        self._next_full = 0.0
        self._next_check = 0.0
        self._next_urgent = 0.0
        self._jobs_until = clock.monotonic() + interval_s
        self._full_surveys = 0
        self._retry_s = RETRY_S_FIRST
        self._greenlet: gevent.Greenlet | None = None
        self.used_at = clock.monotonic()
        self._surveys = 0
        self._failures = 0

    @property
    def view(self) -> BrokerView:
        """What is known of the broker now."""
        return self._view

    @property
    def measures(self) -> BrokerMeasures:
        """What is counted of it."""
        return BrokerMeasures(is_up=self._view.up, surveys=self._surveys, failures=self._failures)

    def start(self) -> None:
        """Begin to watch."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """End the watch at once and close the connection; jobs that wait are refused."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=SURVEY_TIMEOUT_S)
        while not self._inbox.empty():
            _, result = self._inbox.get_nowait()
            result.set_exception(BrokerUnavailable("This branch is stopping."))
        self._control.close()

    def watch(self, watched: Watched) -> None:
        """Say which nodes to ask; a change of the urgent ones takes effect at once."""
        changed = watched.urgent != self._watched.urgent or (
            watched.limits_wanted and not self._watched.limits_wanted
        )
        self._watched = watched
        self.used_at = self._clock.monotonic()
        if watched.limits_wanted:
            self._next_full = 0.0
        if changed:
            self._wake.set()

    def look_soon(self) -> None:
        """Survey all nodes as soon as the jobs before it are done."""
        self._next_full = 0.0
        self.wake()

    def wake(self) -> None:
        """Have the greenlet see whether something is due."""
        self._wake.set()

    def take_answers(self) -> Mapping[str, Answer]:
        """Return what was learnt since the last call, by node."""
        answers, self._answers = self._answers, {}
        return answers

    def post(self, job: Job) -> AsyncResult[object]:
        """Have a job done in its turn.

        Raises:
            Overloaded: Too many jobs wait already.
        """
        result: AsyncResult[object] = AsyncResult()
        self.used_at = self._clock.monotonic()
        try:
            self._inbox.put_nowait((job, result))
        except Full:
            raise Overloaded(
                f"{JOBS_MAX} operations wait for the broker {self.broker.masked_url}; "
                "try again in a moment."
            ) from None
        self._wake.set()
        return result

    # --- the greenlet ---------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self._turn()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("watching broker %s failed", self.broker.masked_url)
                gevent.sleep(RETRY_S_FIRST)

    def _turn(self) -> None:
        """Do jobs, then a survey if one is due, then wait for either."""
        self._do_jobs()
        now = self._clock.monotonic()
        if now >= self._next_full:
            self._survey(self._watched.nodes, _Kind.FULL)
        elif now >= self._next_check:
            self._survey(self._watched.doubted, _Kind.CHECK)
        elif self._watched.urgent and now >= self._next_urgent:
            self._survey(self._watched.urgent, _Kind.URGENT)
        self._wait()

    def _wait(self) -> None:
        due = min(self._next_full, self._next_check)
        if self._watched.urgent and self._view.up:
            due = min(due, self._next_urgent)
        wait_s = due - self._clock.monotonic()
        if wait_s > 0 and self._inbox.empty():
            self._wake.wait(wait_s)
        self._wake.clear()

    def _do_jobs(self) -> None:
        """Do all jobs; when they took an interval it is a survey's turn, if one is due."""
        while self._clock.monotonic() < max(
            self._jobs_until, min(self._next_full, self._next_check)
        ):
            try:
                job, result = self._inbox.get_nowait()
            except Empty:
                return
            self._do(job, result)

    def _do(self, job: Job, result: AsyncResult[object]) -> None:
        try:
            value = job(self._control)
        except Exception as exc:  # noqa: BLE001 - whoever asked is told, the greenlet goes on
            if isinstance(exc, BrokerUnavailable):
                self._is_down(exc)
            result.set_exception(exc)
        else:
            self._is_up()
            result.set(value)

    def _survey(self, nodes: Sequence[str], kind: _Kind) -> None:
        asked_at = self._clock.monotonic()
        self._surveys += 1
        with_limits = kind is _Kind.FULL and (
            self._watched.limits_wanted or self._full_surveys % LIMITS_EVERY_SURVEYS == 0
        )
        try:
            reports = self._control.survey(
                nodes,
                with_limits=with_limits and bool(nodes),
                timeout_s=URGENT_TIMEOUT_S if kind is _Kind.URGENT else SURVEY_TIMEOUT_S,
            )
        except BrokerUnavailable as exc:
            self._failures += 1
            self._is_down(exc)
            self._next_full = self._next_check = self._clock.monotonic() + self._retry_s
            self._retry_s = min(RETRY_S_MAX, self._retry_s * 2)
        else:
            self._is_up()
            self._retry_s = RETRY_S_FIRST
            self._answers.update({node: Answer(asked_at, reports.get(node)) for node in nodes})
            self._plan_next(kind, asked_at)
        now = self._clock.monotonic()
        self._next_urgent, self._jobs_until = now + URGENT_PERIOD_S, now + self._interval_s
        self._on_news()

    def _plan_next(self, kind: _Kind, asked_at: float) -> None:
        if kind is _Kind.FULL:
            self._full_surveys += 1
            self._next_full = asked_at + self._interval_s * max(1.0, self._stretch())
        if kind is not _Kind.URGENT:
            self._next_check = asked_at + self._interval_s

    def _is_up(self) -> None:
        if self._view.up:
            return
        revived = self._view.up is False
        self._view = BrokerView(True, self._clock.monotonic(), revived=revived)
        if revived:
            self._journal.record("broker.revived", f"broker {self.broker.masked_url} answers again")
        self._on_news()

    def _is_down(self, exc: BrokerUnavailable) -> None:
        if self._view.up is False:
            return
        self._view = BrokerView(False, self._clock.monotonic(), exc.detail)
        self._journal.record("broker.lost", exc.detail)
        self._on_news()


class Brokers:
    """All brokers in use, found by their URL.

    Args:
        controls: Makes the connections.
        clock: Time.
        journal: Where outages are told.
        interval_s: Seconds between two surveys of a broker's workers.
        stretch: By how much that is longer for full surveys, 1 or more; asked after each.
    """

    def __init__(
        self,
        controls: Controls,
        clock: Clock,
        journal: Journal,
        *,
        interval_s: float = 10.0,
        stretch: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._controls = controls
        self._clock = clock
        self._journal = journal
        self._interval_s = interval_s
        self._stretch = stretch
        self._watches: dict[str, BrokerWatch] = {}
        self._kept: set[str] = set()
        self._leaving = Group()
        self._on_news: Callable[[], None] = lambda: None

    def notify(self, on_news: Callable[[], None]) -> None:
        """Say whom to tell when something was learnt of any broker."""
        self._on_news = on_news

    def watch_of(self, broker: Broker) -> BrokerWatch:
        """Return the watch of a broker, begun at the first call.

        Raises:
            Overloaded: ``BROKERS_MAX`` brokers are in use already.
        """
        watch = self._watches.get(broker.url)
        if watch is None:
            if len(self._watches) >= BROKERS_MAX:
                self.leave_idle()
            if len(self._watches) >= BROKERS_MAX:
                raise Overloaded(
                    f"This branch speaks to {BROKERS_MAX} brokers already; "
                    "use another branch for instances on further ones."
                )
            watch = BrokerWatch(
                broker,
                self._controls.control(broker),
                clock=self._clock,
                journal=self._journal,
                interval_s=self._interval_s,
                stretch=self._stretch,
                on_news=self._tell,
            )
            self._watches[broker.url] = watch
            watch.start()
        return watch

    def keep(self, broker: Broker) -> BrokerWatch:
        """Watch a broker as long as this branch runs, whether anybody uses it or not.

        Raises:
            Overloaded: As ``watch_of``.
        """
        watch = self.watch_of(broker)
        self._kept.add(broker.url)
        return watch

    def view_of(self, broker: Broker) -> BrokerView:
        """Return what is known of a broker; one too many is one that does not answer."""
        try:
            return self.watch_of(broker).view
        except Overloaded as exc:
            return BrokerView(False, 0.0, exc.detail)

    def back_s(self, broker: Broker) -> float | None:
        """Return for how long a broker has been back, in seconds.

        Returns:
            None if it is away, or was not since it is in use.
        """
        view = self.view_of(broker)
        return self._clock.monotonic() - view.since if view.up and view.revived else None

    def take_answers(self) -> Mapping[str, Answer]:
        """Return what was learnt of all nodes since the last call."""
        answers: dict[str, Answer] = {}
        for watch in self._watches.values():
            answers.update(watch.take_answers())
        return answers

    def tell(self, broker: Broker, watched: Watched) -> None:
        """Say which nodes to ask on a broker, if it can be spoken to at all."""
        watch = self._watches.get(broker.url)
        if watch is not None:
            watch.watch(watched)

    def look_soon(self, broker: Broker) -> None:
        """Survey a broker's nodes soon, if it can be spoken to at all."""
        watch = self._watches.get(broker.url)
        if watch is not None:
            watch.look_soon()

    def control(self, broker: Broker) -> Control:
        """Return a control whose calls wait for their turn in the broker's greenlet."""
        watch = self.watch_of(broker)
        return ControlInTurn(broker, watch.post)

    def views(self) -> list[tuple[Broker, BrokerView]]:
        """Return what is known of every broker in use."""
        return [(watch.broker, watch.view) for watch in self._watches.values()]

    def measures(self) -> Mapping[str, BrokerMeasures]:
        """Return what is counted of every broker in use, by its key."""
        return by_broker((each.broker, each.measures) for each in self._watches.values())

    def stop(self, timeout_s: float) -> None:
        """Stop all watches."""
        for watch in self._watches.values():
            self._leaving.spawn(watch.stop)
        self._watches.clear()
        self._leaving.join(timeout=timeout_s)

    def leave_idle(self) -> None:
        """Stop the watches of brokers that nobody used for ``IDLE_CLOSE_S``; returns at once."""
        now = self._clock.monotonic()
        for url, watch in list(self._watches.items()):
            if url not in self._kept and now - watch.used_at > IDLE_CLOSE_S:
                del self._watches[url]
                self._leaving.spawn(watch.stop)

    def _tell(self) -> None:
        self._on_news()
