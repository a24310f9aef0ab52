"""Sends what happens to all who listen: each frame is made once, whoever it goes to.

Listeners that want the same events make up a *channel*. One greenlet takes what came to the
channels and pushes it to their listeners; it lets others run between a few of them.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.event import Event as Signalled

from cyme.api.open_files import open_files_max
from cyme.api.replies import TURN_S
from cyme.api.streaming.frames import HEARTBEAT, dropped_frame, event_frame
from cyme.api.streaming.handoff import Handoff
from cyme.api.streaming.outlet import Outlet
from cyme.api.streaming.row_caster import RowCaster
from cyme.core.events import Cursor, Event, EventFilter
from cyme.errors import CymeError, Overloaded
from cyme.runtime.feed import Arrival, Subscription
from cyme.runtime.service import Service

logger = logging.getLogger(__name__)

#: What happens within so long goes out together, in seconds.
GATHER_S = 0.03

#: Every listener hears something so often, in seconds, and is asked whether it still may listen.
HEARTBEAT_S = 15.0

#: The others have their turn after so many listeners.
PUSHES_A_TURN = 25

#: Who found no place may try again after so long, in seconds.
RETRY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """How many streams there are at a time; they count apart from connections at work.

    Attributes:
        total_max: From everywhere together; a quarter of the files that the process may open is
            never exceeded.
        per_address_max: From one address; many come from one behind a proxy.
    """

    total_max: int = 2_000
    per_address_max: int = 1_024


@dataclass(slots=True, eq=False)
class Channel:
    """Listeners that want the same.

    Attributes:
        subscription: What comes for them.
        listeners: They.
    """

    subscription: Subscription
    listeners: list[Listener] = field(default_factory=list)


@dataclass(slots=True, eq=False, kw_only=True)
class Listener:
    """Somebody who listens.

    Attributes:
        origin: The address that it comes from.
        wanted: Which events it wants.
        tasks: Whether it wants those of tasks.
        rows: Whether it wants the rows of lists as well.
        may_write: Whether its caller may write, and so see all of them.
        position: It has what came to the feed up to here.
        known: It has what these branches told up to there; None once all that comes is later.
        may_listen: Tells whether it still may.
        release: Lets the feed go.
        outlet: Its connection, once it has come.
        channel: Where it listens.
    """

    origin: str
    wanted: EventFilter
    tasks: bool
    rows: bool
    may_write: bool
    position: int
    known: dict[str, Cursor] | None
    may_listen: Callable[[], bool]
    release: Callable[[], None]
    outlet: Outlet | None = None
    channel: Channel | None = None

    def lacks(self, arrival: Arrival) -> bool:
        """Tell whether an event is new to it."""
        event = arrival.event
        if event.is_of_task:
            return True
        if arrival.position <= self.position:
            return False
        if self.known is None:
            return True
        cursor = self.known.get(event.branch)
        return cursor is None or event.cursor > cursor


class Broadcaster:
    """Sends events to listeners.

    Args:
        service: The use cases, where events and rows come from.
        limits: How many may listen.
    """

    def __init__(self, service: Service, *, limits: StreamLimits | None = None) -> None:
        self._feed = service.feed
        self._rows = RowCaster(service)
        self._limits = limits or StreamLimits()
        self._channels: dict[tuple[EventFilter, bool], Channel] = {}
        self._listeners: set[Listener] = set()
        self._places = 0
        self._places_of: Counter[str] = Counter()
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None
        self._heartbeat_at = 0.0
        self._is_stopped = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def stop(self, timeout_s: float) -> None:
        """End all streams."""
        self._is_stopped = True
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._rows.stop(timeout_s)
        for listener in list(self._listeners):
            self._remove(listener)

    # --- who listens ----------------------------------------------------------------------------

    def reserve(self, origin: str) -> Callable[[], None]:
        """Keep a place for a listener; the function that is returned frees it.

        Args:
            origin: The address that it comes from.

        Raises:
            Overloaded: There is none.
        """
        of_one_max = self._limits.per_address_max
        total_max = min(self._limits.total_max, open_files_max() // 4)
        why = None
        if self._is_stopped:
            why = "The branch is stopping."
        elif self._places_of[origin] >= of_one_max:
            why = f"{origin} follows {of_one_max} streams already and gets no more."
        elif self._places >= total_max:
            why = f"The branch serves {total_max} streams at a time and no more."
        if why is not None:
            raise Overloaded(why + " Close some, or try later.", retry_after_s=RETRY_AFTER_S)
        self._places += 1
        self._places_of[origin] += 1

        def free() -> None:
            self._places -= 1
            self._places_of[origin] -= 1
            if not self._places_of[origin]:
                del self._places_of[origin]

        return free

    def expect_rows(self) -> Callable[[], None]:
        """Begin to look for rows that change, for a listener to come.

        Returns:
            A function to be called when it has gone, or does not come.
        """
        return self._rows.expect()

    def offer(self, listener: Listener, first: bytes) -> Handoff:
        """Return the reply that makes a client a listener.

        Args:
            listener: What it wants, and what it has.
            first: What its stream begins with.
        """
        return Handoff(
            first,
            take=lambda sock: self._add(listener, sock, first),
            give_up=listener.release,
        )

    def _add(self, listener: Listener, sock: Any, first: bytes) -> None:
        """Begin to send to a client what it wants; nothing here switches."""
        try:
            outlet = Outlet(sock, lambda: self._remove(listener), dropped_frame)
        except OSError:
            listener.release()
            return
        listener.outlet = outlet
        self._listeners.add(listener)
        outlet.push(first)
        missed, lost = self._feed.after(listener.position, listener.wanted)
        frames = [event_frame(each.event) for each in missed if listener.lacks(each)]
        if lost:
            outlet.lose(lost)
        if frames:
            outlet.push(b"".join(frames), len(frames))
        listener.position = self._feed.position
        self._join_channel(listener)
        if listener.rows:
            self._rows.add(outlet, may_write=listener.may_write)
        if self._is_stopped:
            self._remove(listener)
        elif self._greenlet is None:
            self._heartbeat_at = time.monotonic() + HEARTBEAT_S
            self._greenlet = gevent.spawn(self._run)

    def _join_channel(self, listener: Listener) -> None:
        key = (listener.wanted, listener.tasks)
        channel = self._channels.get(key)
        if channel is None:
            subscription = self._feed.subscribe(
                listener.wanted, tasks=listener.tasks, notify=self._wake.set
            )
            channel = self._channels[key] = Channel(subscription)
        channel.listeners.append(listener)
        listener.channel = channel

    def _remove(self, listener: Listener) -> None:
        """Take leave of a listener, if that was not done already."""
        if listener not in self._listeners:
            return
        self._listeners.remove(listener)
        if listener.outlet is not None:
            listener.outlet.close()
        if listener.rows:
            self._rows.forget(listener.outlet)
        channel = listener.channel
        if channel is not None:
            channel.listeners.remove(listener)
            if not channel.listeners:
                channel.subscription.close()
                self._channels.pop((listener.wanted, listener.tasks), None)
        listener.release()

    # --- sending --------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._wake.wait(max(0.0, self._heartbeat_at - time.monotonic()))
            if self._wake.is_set():
                gevent.sleep(GATHER_S)
                self._wake.clear()
            try:
                self._send()
                if time.monotonic() >= self._heartbeat_at:
                    self._heartbeat_at = time.monotonic() + HEARTBEAT_S
                    self._beat()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("sending events to those who follow them failed")

    def _send(self) -> None:
        """Send to every channel what came for it."""
        frames = _Frames()
        for channel in list(self._channels.values()):
            arrivals, lost = channel.subscription.take()
            if arrivals or lost:
                self._send_to(channel, arrivals, lost, frames)

    def _send_to(
        self, channel: Channel, arrivals: list[Arrival], lost: int, frames: _Frames
    ) -> None:
        all_of_it = frames.of(arrivals)
        first = arrivals[0].position if arrivals else 0
        for listener in _in_turns(channel.listeners):
            outlet = listener.outlet
            if outlet is None or not outlet.is_open:
                continue
            if lost:
                outlet.lose(lost)
            if listener.known is None and listener.position < first:
                outlet.push(all_of_it, len(arrivals))
                continue
            lacking = [each for each in arrivals if listener.lacks(each)]
            if lacking:
                outlet.push(frames.of(lacking), len(lacking))

    def _beat(self) -> None:
        """Let every listener hear something, and let go who may not listen any more."""
        known = self._feed.known()
        for listener in _in_turns(self._listeners):
            if not _may_listen(listener):
                self._remove(listener)
            elif listener.outlet is not None:
                listener.outlet.push(HEARTBEAT, 0)
            if listener.known is not None and _is_past(listener.known, known):
                listener.known = None


class _Frames:
    """Frames of events, each made once."""

    def __init__(self) -> None:
        # With the event itself, so that no other one can get its place in memory meanwhile.
        self._made: dict[int, tuple[Event, bytes]] = {}

    def of(self, arrivals: Iterable[Arrival]) -> bytes:
        """Return the frames of some events, one behind the other."""
        return b"".join(self._frame(event) for _, event in arrivals)

    def _frame(self, event: Event) -> bytes:
        made = self._made.get(id(event))
        if made is None:
            made = self._made[id(event)] = (event, event_frame(event))
        return made[1]


def _in_turns(listeners: Iterable[Listener]) -> Iterable[Listener]:
    """Go through those who listen at this moment, and let others run in between."""
    for count, listener in enumerate(list(listeners), start=1):
        yield listener
        if count % PUSHES_A_TURN == 0:
            gevent.sleep(TURN_S)


def _may_listen(listener: Listener) -> bool:
    try:
        return listener.may_listen()
    except CymeError:
        return False


def _is_past(known: dict[str, Cursor], come: dict[str, Cursor]) -> bool:
    """Tell whether all that comes from now on is later than what is known."""
    return all(branch in come and come[branch] >= cursor for branch, cursor in known.items())
