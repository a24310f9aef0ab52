"""Pulls the events of the other branches, while somebody listens here.

A branch is asked for what came after the last event that is known of it, and answers as soon as
there is something. So nothing is lost while it cannot be asked, or was restarted, as long as it
still has it, and nothing comes twice.

Laws:

* a branch is asked by one greenlet, which ends when the branch has gone and comes back with it;
* what is known of a branch outlives that greenlet: it goes on where it was;
* so many calls wait at other branches at a time; with more branches than that they take turns.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent
from gevent.lock import BoundedSemaphore

from cyme.core.branches import BranchState
from cyme.core.events import Cursor, Event, Page
from cyme.core.model import BranchId
from cyme.core.ports import Clock, Members
from cyme.errors import CymeError, NotSupported

logger = logging.getLogger(__name__)

#: Calls that wait at other branches at a time; each occupies one of the connections to them.
WAITING_CALLS_MAX = 16

#: Another branch answers when something happened, and after so long when nothing did.
WAIT_S = 10.0

#: With more branches than calls, each is asked so often, in seconds, and answers at once.
TURN_S = 2.0

#: How long the answer may take beyond that.
ANSWER_S = 5.0

#: A branch that could not be asked is asked again after so long, then after twice as long.
RETRY_S_FIRST = 0.5
RETRY_S_MAX = 5.0

#: A branch that does not know the call (it runs an older Cyme) is asked again after so long.
NOT_SUPPORTED_RETRY_S = 60.0

#: Who is there is looked at so often, in seconds.
LOOK_S = 1.0

#: What the first call asks for reaches back a little further than the moment from which on
#: events are wanted, for the time that the call takes.
MARGIN_S = 1.0

_ABSENT = frozenset({BranchState.FAILED, BranchState.LEFT})


class Pulling:
    """Pulls events.

    Args:
        members: The branches.
        clock: Time.
        branch_id: This branch.
        arrive: Takes every event in.

    Attributes:
        cursors: What is known of every other branch.
    """

    def __init__(
        self, *, members: Members, clock: Clock, branch_id: str, arrive: Callable[[Event], None]
    ) -> None:
        self._members = members
        self._clock = clock
        self._branch_id = branch_id
        self._arrive = arrive
        self._places = BoundedSemaphore(WAITING_CALLS_MAX)
        self._greenlets: dict[BranchId, gevent.Greenlet] = {}
        self._watching: gevent.Greenlet | None = None
        self._since = 0.0
        self.cursors: dict[str, Cursor] = {}

    def start(self) -> None:
        """Begin to pull what happens from now on."""
        if self._watching is None:
            self._places = BoundedSemaphore(WAITING_CALLS_MAX)
            self._since = self._clock.monotonic()
            self.cursors = {}
            self._watching = gevent.spawn(self._watch)

    def stop(self, timeout_s: float) -> None:
        """End all calls."""
        greenlets = [*self._greenlets.values()]
        if self._watching is not None:
            greenlets.append(self._watching)
        self._watching = None
        self._greenlets = {}
        gevent.killall(greenlets, timeout=timeout_s)

    @property
    def asked(self) -> frozenset[str]:
        """The branches that are asked now."""
        return frozenset(self._greenlets)

    def _watch(self) -> None:
        while True:
            try:
                self._look()
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("looking for branches whose events to pull failed")
            gevent.sleep(LOOK_S)

    def _look(self) -> None:
        """Begin to pull from branches that came, and end it with those that went."""
        present = {
            branch
            for branch in self._members.ids()
            if branch != self._branch_id
            and (info := self._members.info(branch)) is not None
            and info.state not in _ABSENT
        }
        for branch in [each for each in self._greenlets if each not in present]:
            self._greenlets.pop(branch).kill(block=False)
        for branch in present - self._greenlets.keys():
            self._greenlets[branch] = gevent.spawn(self._pull, branch)

    def _pull(self, branch: BranchId) -> None:
        pause_s = RETRY_S_FIRST
        while True:
            try:
                self._pull_once(branch)
            except NotSupported:
                gevent.sleep(NOT_SUPPORTED_RETRY_S)
            except CymeError as exc:
                logger.debug("the events of branch %s could not be pulled: %s", branch, exc)
                gevent.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_S_MAX)
            except Exception:  # the top of a greenlet; it must go on
                logger.exception("pulling the events of branch %s failed", branch)
                gevent.sleep(RETRY_S_MAX)
            else:
                pause_s = RETRY_S_FIRST
                gevent.sleep(TURN_S if self._are_many else 0)

    def _pull_once(self, branch: BranchId) -> None:
        with self._places:
            wait_s = 0.0 if self._are_many else WAIT_S
            page = self._members.forward(
                branch,
                "events_here",
                {
                    "after": self.cursors.get(branch),
                    "age_s": self._clock.monotonic() - self._since + MARGIN_S,
                    "wait_s": wait_s,
                },
                timeout_s=wait_s + ANSWER_S,
            )
        assert isinstance(page, Page)
        self.cursors[branch] = page.cursor
        for event in page.events:
            if event.branch == branch:
                self._arrive(event)

    @property
    def _are_many(self) -> bool:
        return len(self._greenlets) > WAITING_CALLS_MAX
