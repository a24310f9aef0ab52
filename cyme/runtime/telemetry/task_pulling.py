"""Pulls the events of tasks from the branches that collect them, while somebody watches here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import gevent

from cyme.core.model import BranchId
from cyme.core.ports import Members
from cyme.errors import CymeError
from cyme.runtime.feed import Feed
from cyme.runtime.telemetry.collecting import Collecting
from cyme.runtime.telemetry.task_feed import TaskFeed, TaskPage

logger = logging.getLogger(__name__)

#: So often it is looked whether somebody still watches, and who collects, in seconds; while nobody
#: does, nothing is looked at.
LOOK_S: Final = 0.25

#: A call waits at a collector for so long, and has so long to come back, in seconds.
WAIT_S: Final = 5.0
ANSWER_S: Final = 3.0

RETRY_S: Final = 1.0

#: Collectors that are pulled from at a time.
PULLED_MAX: Final = 64

_CALL: Final = "task_events_here"

Cursor = tuple[int, int]


class TaskPulling:
    """Brings events of tasks to the feed of this branch.

    Args:
        collecting: Knows who collects.
        here: The events that this branch collects itself.
        members: The branches.
        branch_id: This branch.
        feed: Where they go, if anybody there wants them.
    """

    def __init__(
        self,
        *,
        collecting: Collecting,
        here: TaskFeed,
        members: Members,
        branch_id: str,
        feed: Feed,
    ) -> None:
        self._collecting = collecting
        self._here = here
        self._members = members
        self._branch_id = branch_id
        self._feed = feed
        self._pulled: dict[BranchId, gevent.Greenlet] = {}
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to look whether somebody watches."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Pull no more."""
        if self._greenlet is not None:
            self._greenlet.kill(timeout=timeout_s)
            self._greenlet = None
        self._pull_from(set())

    def _run(self) -> None:
        while True:
            if not self._pulled:
                self._feed.wait_until_tasks_are_wanted()
            try:
                self._look()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("looking who watches tasks failed")
            gevent.sleep(LOOK_S)

    def _look(self) -> None:
        if self._feed.wants_tasks:
            self._pull_from(self._collecting.collectors())
        elif self._pulled:
            self._pull_from(set())

    def _pull_from(self, wanted: set[BranchId]) -> None:
        for branch in self._pulled.keys() - wanted:
            self._pulled.pop(branch).kill(block=False)
        for branch in sorted(wanted - self._pulled.keys())[: PULLED_MAX - len(self._pulled)]:
            ask = self._ask_here if branch == self._branch_id else self._ask
            self._pulled[branch] = gevent.spawn(self._pull, branch, ask)

    def _pull(self, branch: BranchId, ask: Callable[[BranchId, Cursor | None], TaskPage]) -> None:
        after: Cursor | None = None
        while True:
            try:
                page = ask(branch, after)
                after = page.cursor
                self._feed.put_task_events(page.events, left_out=page.left_out)
            except CymeError as exc:
                logger.debug("no events of tasks from branch %s: %s", branch, exc.detail)
                gevent.sleep(RETRY_S)
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("pulling the events of tasks from branch %s failed", branch)
                gevent.sleep(RETRY_S)

    def _ask_here(self, _branch: BranchId, after: Cursor | None) -> TaskPage:
        return self._here.page(after, wait_s=WAIT_S)

    def _ask(self, branch: BranchId, after: Cursor | None) -> TaskPage:
        page = self._members.forward(
            branch, _CALL, {"after": after, "wait_s": WAIT_S}, timeout_s=WAIT_S + ANSWER_S
        )
        assert isinstance(page, TaskPage)
        return page
