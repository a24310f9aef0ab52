"""Which of the tasks that were heard of lately somebody wants to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cyme.core.task_events import STATES
from cyme.core.task_recents import SeenTask
from cyme.errors import InvalidRequest

LIMIT_MAX: Final = 500

_BY_WORD: Final = {
    **{state.lower(): state for state in STATES.values()},
    **{deed.value: state for deed, state in STATES.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """What to look for; None is anything.

    Attributes:
        apps: Apps; a task of none of them is left out, and so is one whose app is not known.
        instances: Instances that have the task, or had it last.
        queues: Queues.
        states: Celery's words for states, as ``state_of`` returns them.
        text: What must stand in the id, the name, the URL, the queue, the worker or the exception,
            in whatever case.
        limit: How many are wanted at most, 1 to ``LIMIT_MAX``.
    """

    apps: tuple[str, ...] | None = None
    instances: tuple[str, ...] | None = None
    queues: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None
    text: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Whose a worker is.

    Attributes:
        instance: The instance, or None if it is none of the cluster's.
        app: The instance's app, or None.
        branch: The branch that runs it, or None.
    """

    instance: str | None = None
    app: str | None = None
    branch: str | None = None


NOWHERE: Final = Place()


def state_of(word: str) -> str:
    """Return Celery's word for a state: of ``SUCCESS``, ``success`` or ``succeeded`` the first.

    Raises:
        InvalidRequest: It is none.
    """
    state = _BY_WORD.get(word.lower())
    if state is None:
        known = ", ".join(STATES.values())
        raise InvalidRequest.of("state", f"{word[:64]!r} is no state of a task; these are: {known}")
    return state


def matcher(wanted: TaskFilter, place_of: Callable[[str], Place]) -> Callable[[SeenTask], bool]:
    """Return what tells whether a task is wanted.

    Args:
        wanted: The filter.
        place_of: Tells whose a worker is, by its node name.
    """
    text = (wanted.text or "").lower()

    def matches(task: SeenTask) -> bool:
        if wanted.states is not None and task.state not in wanted.states:
            return False
        if wanted.queues is not None and task.queue not in wanted.queues:
            return False
        if wanted.apps is not None or wanted.instances is not None:
            place = place_of(task.node)
            if wanted.apps is not None and (task.app or place.app) not in wanted.apps:
                return False
            if wanted.instances is not None and place.instance not in wanted.instances:
                return False
        return not text or any(
            text in each.lower()
            for each in (task.uuid, task.name, task.url, task.queue, task.node, task.exception)
        )

    return matches
