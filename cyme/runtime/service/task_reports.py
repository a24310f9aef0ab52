"""Use cases of what is known of tasks: how they went, which were seen lately, one of them.

Tasks are known by the events of their workers, which one branch a broker collects; the others ask
it. A branch that does not answer in time is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from cyme.core.model import BranchId
from cyme.core.task_events import SentTask
from cyme.core.task_filter import LIMIT_MAX, TaskFilter, matcher
from cyme.core.task_recents import SeenTask
from cyme.core.task_series import merged_totals
from cyme.core.vitals import TaskSighting, TaskTotals
from cyme.errors import CymeError, NotFound
from cyme.runtime.at_once import for_all
from cyme.runtime.service.ground import Ground
from cyme.runtime.service.remote import remote
from cyme.runtime.telemetry.task_feed import TaskPage

#: All that may know have so long to tell, in seconds.
ASK_S: Final = 2.0
ASKED_AT_A_TIME: Final = 32

T = TypeVar("T")


class TaskReports(Ground):
    """What is known of tasks by their events."""

    def task_overview(self, *, timeout_s: float = ASK_S) -> TaskTotals:
        """Return how tasks went lately in the whole cluster."""
        return merged_totals(self._ask_sources(self.task_totals_here, timeout_s=timeout_s))

    @remote(writes=False)
    def task_totals_here(
        self,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> TaskTotals:
        """Return how tasks went lately, as this branch collected it; empty if it did not."""
        now = self._clock.wall()
        return merged_totals(each.totals(now) for each in self.telemetry.ledgers().values())

    def recent_tasks(self, wanted: TaskFilter, *, timeout_s: float = ASK_S) -> list[TaskSighting]:
        """Return the tasks that were heard of lately, the newest first."""
        told = self._ask_sources(self.recent_tasks_here, timeout_s=timeout_s, wanted=wanted)
        latest: dict[str, TaskSighting] = {}
        for sighting in sorted((each for part in told for each in part), key=_age):
            latest[sighting.uuid] = sighting
        return sorted(latest.values(), key=_age, reverse=True)[: wanted.limit]

    @remote(writes=False)
    def recent_tasks_here(
        self,
        wanted: TaskFilter,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> tuple[TaskSighting, ...]:
        """Return the tasks that this branch heard of lately as it collected."""
        limit = min(max(0, wanted.limit), LIMIT_MAX)
        matches = matcher(wanted, self.telemetry.place_of)
        return tuple(
            self._sighting(task)
            for ledger in self.telemetry.ledgers().values()
            for task in ledger.recents.newest(matches, limit)
        )

    def task_sighting(self, uuid: str, *, timeout_s: float = ASK_S) -> TaskSighting:
        """Return what is known of a task.

        Raises:
            NotFound: Nothing is, or not any more.
        """
        told = self._ask_sources(self.task_sighting_here, timeout_s=timeout_s, uuid=uuid)
        seen = [each for each in told if each is not None]
        if not seen:
            raise NotFound(
                "task",
                uuid,
                "Only tasks that were heard of lately are known by their events. What became of a "
                "queued URL is at /<app>/query/<uuid>/result/ for longer.",
            )
        return max(seen, key=_age)

    @remote(writes=False)
    def task_sighting_here(
        self,
        uuid: str,
        *,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> TaskSighting | None:
        """Return what this branch knows of a task as it collected."""
        found = (ledger.recents.find(uuid) for ledger in self.telemetry.ledgers().values())
        seen = [self._sighting(task) for task in found if task is not None]
        return max(seen, key=_age, default=None)

    @remote(writes=False)
    def task_events_here(
        self, after: tuple[int, int] | None, *, wait_s: float, timeout_s: float
    ) -> TaskPage:
        """Return the events of tasks that this branch collected after a place.

        Events are kept for this only while somebody asks, and not all of them where there are
        many.

        Args:
            after: The place; None for now.
            wait_s: How long to wait for one, in seconds.
            timeout_s: What is left of the caller's time.
        """
        return self.telemetry.page(after, wait_s=min(wait_s, timeout_s))

    @remote(writes=False)
    def note_sent_here(
        self,
        sent: tuple[SentTask, ...],
        *,
        by: str,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> None:
        """Take note of tasks that another branch has sent.

        Args:
            sent: The tasks.
            by: That branch.
            timeout_s: What is left of the caller's time.
        """
        for each in sent:
            self.telemetry.enter_sent(each, by)

    def _sighting(self, task: SeenTask) -> TaskSighting:
        place = self.telemetry.place_of(task.node)
        return replace(task.sighting(), app=task.app or place.app, instance=place.instance)

    def _ask_sources(
        self, perform: Callable[..., T], /, *, timeout_s: float, **arguments: object
    ) -> list[T]:
        """Have all branches that may know perform a call; return what those return that can."""
        told: list[T] = []

        def ask(branch: BranchId) -> None:
            try:
                told.append(self._at(branch, perform, timeout_s=timeout_s, **arguments))
            except CymeError:
                return  # what it knows is left out

        sources = [each for each in sorted(self.telemetry.sources()) if not self._is_absent(each)]
        for_all(sources, ask, at_once_max=ASKED_AT_A_TIME, timeout_s=timeout_s)
        return told


def _age(sighting: TaskSighting) -> float:
    return sighting.at
