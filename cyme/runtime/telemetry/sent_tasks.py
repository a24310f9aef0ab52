"""What this branch has sent, told to the branch that collects for the broker.

No event goes over the broker for it: that would cost each task a second message there.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

import gevent
from gevent.event import Event as Signalled

from cyme.core.model import BranchId
from cyme.core.ports import Members
from cyme.core.task_events import SentTask
from cyme.errors import CymeError
from cyme.runtime.telemetry.collecting import Collecting

logger = logging.getLogger(__name__)

#: Tasks that wait to be told of; the oldest go first.
WAITING_MAX: Final = 2_000

#: Tasks that are told of in one call.
TOLD_MAX: Final = 500

CALL_TIMEOUT_S: Final = 2.0

_CALL: Final = "note_sent_here"


class SentTasks:
    """Tells of what was sent, in a greenlet of its own.

    Args:
        collecting: Knows who collects, and keeps the ledgers of this branch.
        members: The branches.
        branch_id: This branch.
    """

    def __init__(self, collecting: Collecting, members: Members, branch_id: str) -> None:
        self._collecting = collecting
        self._members = members
        self._branch_id = branch_id
        self._waiting: deque[tuple[BranchId, SentTask]] = deque(maxlen=WAITING_MAX)
        self._wake = Signalled()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Tell no more; what waits is lost."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None

    def note(self, sent: SentTask, collector: BranchId | None) -> None:
        """Tell of a task soon, or enter it at once where this branch collects; never waits."""
        if collector == self._branch_id:
            self._collecting.enter(sent.broker, sent.as_event(f"cyme@{self._branch_id}"))
        elif collector is not None and self._greenlet is not None:
            self._waiting.append((collector, sent))
            self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self._tell_all()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("telling of sent tasks failed")

    def _tell_all(self) -> None:
        while self._waiting:
            several = [self._waiting.popleft() for _ in range(min(TOLD_MAX, len(self._waiting)))]
            for branch in {branch for branch, _ in several}:
                told = tuple(sent for to, sent in several if to == branch)
                try:
                    self._members.forward(
                        branch,
                        _CALL,
                        {"sent": told, "by": self._branch_id},
                        timeout_s=CALL_TIMEOUT_S,
                    )
                except CymeError as exc:
                    logger.debug("branch %s was not told of sent tasks: %s", branch, exc.detail)
