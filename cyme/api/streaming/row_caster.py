"""Sends rows that changed, and how everything does, to those who look at screens.

Laws:

* nobody looks, nothing is looked at;
* a row is sent once a second at most, as it is then;
* who begins to look on hears of every change from then on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from gevent.lock import BoundedSemaphore

from cyme.api.replies import in_turns
from cyme.api.streaming.frames import named_frame
from cyme.api.streaming.outlet import Outlet
from cyme.api.streaming.rows import Rows
from cyme.api.vitals import vitals_reply
from cyme.runtime.service import Service

logger = logging.getLogger(__name__)

#: Rows are compared so often, in seconds.
ROWS_S = 1.0

#: How everything does is told so often, in seconds.
VITALS_S = 5.0


class RowCaster:
    """Sends rows to those who look on.

    Args:
        service: The use cases.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._rows = Rows(service)
        self._lookers: dict[Outlet, bool] = {}
        self._expected = 0
        self._looking = BoundedSemaphore(1)
        self._has_looked = False
        self._vitals_at = 0.0
        self._greenlet: gevent.Greenlet | None = None

    def expect(self) -> Callable[[], None]:
        """Look for changes, for somebody who will look on and is told of them then.

        Returns:
            A function to be called when they have gone, or do not come.
        """
        self._expected += 1
        try:
            with self._looking:
                if not self._has_looked:
                    self._rows.look()
                    self._has_looked = True
        except BaseException:
            self._leave()
            raise
        return self._leave

    def _leave(self) -> None:
        self._expected -= 1

    def forget(self, outlet: Outlet | None) -> None:
        """Send nothing more to somebody who has gone."""
        if outlet is not None:
            self._lookers.pop(outlet, None)

    def add(self, outlet: Outlet, *, may_write: bool) -> None:
        """Send rows to somebody who was expected.

        Args:
            outlet: Their connection.
            may_write: Whether they may see what is masked for those who may not write.
        """
        self._lookers[outlet] = may_write
        self._vitals_at = 0.0
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Send nothing any more."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def _run(self) -> None:
        while self._expected:
            try:
                with self._looking:
                    self._send_rows()
                if time.monotonic() >= self._vitals_at:
                    self._vitals_at = time.monotonic() + VITALS_S
                    self._send(named_frame("vitals", vitals_reply(self._service)))
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("sending rows to those who look on failed")
            gevent.sleep(ROWS_S)
        self._rows = Rows(self._service)
        self._has_looked = False
        self._greenlet = None

    def _send_rows(self) -> None:
        kinds = set(self._lookers.values())
        changed = list(self._rows.changes(kinds))
        for kind in kinds if changed else ():
            self._send(b"".join(each[kind] for each in changed), kind, len(changed))

    def _send(self, frames: bytes, kind: bool | None = None, count: int = 1) -> None:
        for outlet, may_write in in_turns(list(self._lookers.items())):
            if kind in {None, may_write}:
                outlet.push(frames, count)
