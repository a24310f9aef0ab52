"""Use cases of events: what happened here, and in the whole cluster."""

from __future__ import annotations

import gevent
from gevent.event import Event as Signalled

from cyme.core.events import Cursor, Event, EventFilter, Page
from cyme.runtime.feed.feed import shortened, without_views
from cyme.runtime.feed.past import in_order
from cyme.runtime.journal import EVENTS_PER_INSTANCE_MAX
from cyme.runtime.service.ground import Ground
from cyme.runtime.service.remote import remote

#: Where other branches are asked for what they know of an instance, they have so long.
OTHERS_TIMEOUT_S = 2.0

#: Events that follow each other closely are answered together, within so long, in seconds.
GATHER_S = 0.02


class Happenings(Ground):
    """Events, wherever they were told."""

    def now(self) -> float:
        """Return the time that events of this branch would have now, seconds since 1970, UTC."""
        return self._clock.wall()

    def history(self, app: str | None, instance: str, *, timeout_s: float) -> tuple[Event, ...]:
        """Return what happened to an instance lately, the oldest first, also to a deleted one.

        What its earlier owners tell is among it, as far as they can be asked.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            OwnerUnreachable: Its branch cannot be asked.
        """
        record = self._replica.instance_or_tombstone(instance)
        if record is None or app not in (None, record.app):
            record = self.instance(instance, app)
        deadline = self._deadline(timeout_s)
        told = self._at_owner(record, self.history_here, instance=record.name, timeout_s=timeout_s)
        elsewhere = self.feed.history(
            EventFilter(instances=(record.name,)),
            EVENTS_PER_INSTANCE_MAX,
            timeout_s=min(OTHERS_TIMEOUT_S, self._left_s(deadline)),
        )
        every = {event.id: event for event in (*elsewhere.events, *told)}
        return tuple(in_order(list(every.values())))

    @remote(writes=False)
    def history_here(
        self,
        instance: str,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> tuple[Event, ...]:
        """Return what happened lately to an instance while this branch owned it."""
        return tuple(self._journal.of_instance(instance))

    @remote(writes=False)
    def events_here(
        self, after: Cursor | None, *, age_s: float, wait_s: float, timeout_s: float
    ) -> Page:
        """Return what happened on this branch after a place, as soon as there is something.

        How this branch sees others is left out.

        Args:
            after: The place; None for that of ``age_s`` ago.
            age_s: How long ago the first event may have happened, in seconds.
            wait_s: How long to wait for one, in seconds.
            timeout_s: What is left of the caller's time.
        """
        if after is None:
            after = self._journal.before(self._clock.wall() - age_s)
        page = without_views(self._journal.after(after))
        deadline = self._deadline(min(wait_s, timeout_s))
        while not page.events and (left_s := deadline - self._clock.monotonic()) > 0:
            if not self._wait_for_event(left_s):
                break
            gevent.sleep(GATHER_S)
            page = without_views(self._journal.after(page.cursor))
        return page

    @remote(writes=False)
    def find_events_here(
        self,
        wanted: EventFilter,
        limit: int,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> Page:
        """Return the latest events of this branch that are wanted, the oldest first.

        How this branch sees others is left out.
        """
        found = [event for event in self._journal.find(wanted, limit) if not event.is_view]
        return shortened(found, self._journal.cursor)

    def _wait_for_event(self, wait_s: float) -> bool:
        happened = Signalled()
        leave = self._journal.subscribe(lambda _: happened.set())
        try:
            return bool(happened.wait(wait_s))
        finally:
            leave()
