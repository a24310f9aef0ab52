"""How many tasks ended lately, in steps of ten seconds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cyme.core.task_events import TaskDeed
from cyme.core.vitals import TaskTotals

STEP_S: Final = 10
STEPS: Final = 60

#: Rates are those of so many steps, the one that is under way included.
RATE_STEPS: Final = 6

_COUNTED: Final = {TaskDeed.SUCCEEDED: 0, TaskDeed.FAILED: 1, TaskDeed.RETRIED: 2}


class TaskSeries:
    """Counts of what tasks came to, by the step in which it was heard of; old steps go."""

    def __init__(self) -> None:
        self._steps: dict[int, list[int]] = {}

    def note(self, deed: TaskDeed, now: float) -> None:
        """Count a deed.

        Args:
            deed: What became of a task; what is no end of it is passed over.
            now: Seconds since 1970, UTC.
        """
        column = _COUNTED.get(deed)
        if column is None:
            return
        step = int(now // STEP_S)
        counts = self._steps.get(step)
        if counts is None:
            # A clock that was set anew leaves no more behind than it makes.
            self._steps = {at: old for at, old in self._steps.items() if abs(step - at) < STEPS}
            counts = self._steps[step] = [0, 0, 0]
        counts[column] += 1

    def totals(self, now: float) -> TaskTotals:
        """Return the counts of the last steps, and their rates."""
        current = int(now // STEP_S)
        nothing = [0, 0, 0]
        counts = [self._steps.get(current - back, nothing) for back in range(STEPS - 1, -1, -1)]
        lately_s = (RATE_STEPS - 1) * STEP_S + now % STEP_S
        succeeded, failed, _ = (sum(column) for column in zip(*counts[-RATE_STEPS:], strict=True))
        return TaskTotals(
            rate=(succeeded + failed) / lately_s,
            failure_rate=failed / lately_s,
            succeeded=sum(each[0] for each in counts),
            failed=sum(each[1] for each in counts),
            retried=sum(each[2] for each in counts),
            series=tuple(
                ((current - STEPS + 1 + index) * STEP_S, each[0], each[1])
                for index, each in enumerate(counts)
            ),
        )


def merged_totals(parts: Iterable[TaskTotals]) -> TaskTotals:
    """Return what several collectors know together."""
    known = list(parts)
    steps: dict[int, tuple[int, int]] = {}
    for part in known:
        for at, succeeded, failed in part.series:
            before = steps.get(at, (0, 0))
            steps[at] = (before[0] + succeeded, before[1] + failed)
    return TaskTotals(
        rate=sum(part.rate for part in known),
        failure_rate=sum(part.failure_rate for part in known),
        succeeded=sum(part.succeeded for part in known),
        failed=sum(part.failed for part in known),
        retried=sum(part.retried for part in known),
        series=tuple((at, *steps[at]) for at in sorted(steps)[-STEPS:]),
        events=sum(part.events for part in known),
        shed=sum(part.shed for part in known),
        unreadable=sum(part.unreadable for part in known),
        interruptions=sum(part.interruptions for part in known),
    )
