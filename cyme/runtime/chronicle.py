"""The chronicle: writes the journal down, so that a restart does not forget it.

Nobody waits for it, and nothing depends on it: where it cannot be written the branch goes on, and
what is written again once it can be is as much as was kept for that.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event as Signalled

from cyme.core.events import Event
from cyme.core.ports import Clock, EventLog
from cyme.errors import CymeError
from cyme.runtime.cluster.seldom import Seldom
from cyme.runtime.journal import Journal

logger = logging.getLogger(__name__)

#: Events that wait to be written; beyond, the oldest are not written any more.
WAITING_MAX = 10_000

#: So many are written at a time.
BATCH_MAX = 1_000

#: What happens within so long is written together, in seconds.
GATHER_S = 0.2

#: What could not be written is tried again after so long, in seconds.
RETRY_S = 5.0


class Chronicle:
    """Keeps the journal of a branch over its lives.

    Args:
        journal: The journal.
        log: Where it is kept.
        clock: Time.
    """

    def __init__(self, journal: Journal, log: EventLog, clock: Clock) -> None:
        self._journal = journal
        self._log = log
        self._seldom = Seldom(logger, clock)
        self._waiting: deque[Event] = deque(maxlen=WAITING_MAX)
        self._wake = Signalled()
        self._leave: Callable[[], None] | None = None
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Give the journal what earlier lives told, and write down what this one tells."""
        self._journal.restore(self._log.load())
        self._leave = self._journal.subscribe(self._take)
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Write down what waits, in so many seconds."""
        if self._leave is not None:
            self._leave()
            self._leave = None
        if self._greenlet is None:
            return
        self._greenlet.kill(timeout=timeout_s)
        self._greenlet = None
        with gevent.Timeout(timeout_s, False):
            while self._waiting and self._write():
                pass

    def _take(self, event: Event) -> None:
        self._waiting.append(event)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            gevent.sleep(GATHER_S)
            self._wake.clear()
            try:
                while self._waiting:
                    if not self._write():
                        gevent.sleep(RETRY_S)
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("writing events down failed")

    def _write(self) -> bool:
        """Write some of what waits; tell whether that went well."""
        batch: Sequence[Event] = [
            self._waiting[n] for n in range(min(BATCH_MAX, len(self._waiting)))
        ]
        try:
            self._log.append(batch)
        except CymeError as exc:
            self._seldom.warn("what happens is not written down", exc.detail)
            return False
        last = batch[-1].seq
        while self._waiting and self._waiting[0].seq <= last:
            self._waiting.popleft()
        return True
