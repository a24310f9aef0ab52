"""Events: every decision and every change of state, with its reason.

Laws:

* The events of one branch are in one order, that of their cursors, over all of its lives.
* An id names one event for ever and everywhere; whoever shows it again learns what came after.
* What a branch says of one that it sees in the cluster is its view. Each branch has its own, so
  that nobody takes over that of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The kinds of what a branch says of the cluster begin so.
_OF_BRANCHES = "branch."

#: The kinds of what Celery's workers say of their tasks begin so.
_OF_TASKS = "task."

#: Characters of an event's id at most: a branch's name, and three numbers.
ID_CHARS_MAX = 256

_ID_PARTS = 4


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in the events of one branch: what came up to it is known.

    Attributes:
        life: Which life of the branch; grows with every start.
        seq: The number of the event.
    """

    life: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        seq: Grows by one with every event of its branch, from 1.
        at: Seconds since 1970, UTC.
        kind: What happened, as ``noun.deed``: ``instance.restarted``, ``broker.lost``.
        reason: Why, in words for an operator.
        app: The app it concerns, or None.
        instance: The instance it concerns, or None.
        branch: The branch that tells it; empty where nobody else will know.
        life: Which life of that branch; 0 for what is told of tasks.
        data: Further facts, JSON types; never a secret.
    """

    seq: int
    at: float
    kind: str
    reason: str
    app: str | None = None
    instance: str | None = None
    branch: str = ""
    life: int = 0
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def cursor(self) -> Cursor:
        """Its place in the events of its branch."""
        return Cursor(self.life, self.seq)

    @property
    def id(self) -> str:
        """Its name; it means nothing to those who read it, and is given back as it is."""
        return f"{self.branch}.{self.life:x}.{self.seq:x}.{int(self.at * 1000):x}"

    @property
    def is_view(self) -> bool:
        """Whether it tells how its branch sees the branch that ``data`` names."""
        return self.kind.startswith(_OF_BRANCHES) and "branch" in self.data

    @property
    def is_of_task(self) -> bool:
        """Whether a worker told it of one of its tasks; such events are not kept."""
        return self.kind.startswith(_OF_TASKS)


@dataclass(frozen=True, slots=True)
class Mark:
    """What an id says of the event that it names.

    Attributes:
        branch: The branch that told it.
        cursor: Its place in the events of that branch.
        at: When it happened, seconds since 1970, UTC.
    """

    branch: str
    cursor: Cursor
    at: float


def mark_of(text: str) -> Mark | None:
    """Return what an id says, None if it is none."""
    parts = text.rsplit(".", _ID_PARTS - 1)
    if len(text) > ID_CHARS_MAX or not text.isascii() or len(parts) != _ID_PARTS:
        return None
    branch, *numbers = parts
    try:
        life, seq, at_ms = (int(number, 16) for number in numbers)
    except ValueError:
        return None
    return Mark(branch, Cursor(life, seq), at_ms / 1000)


@dataclass(frozen=True, slots=True)
class Page:
    """Some events of one branch, the oldest first, and the place that they lead to.

    Attributes:
        events: The events.
        cursor: What follows it was not looked at.
    """

    events: tuple[Event, ...]
    cursor: Cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; what is empty leaves none out.

    Attributes:
        apps: Apps that they concern.
        instances: Instances that they concern.
        branches: Branches that tell them, or that they name.
        kinds: Their kinds; one that ends with ``.*`` stands for all that begin so.
        since: They happened then or later, seconds since 1970, UTC.
    """

    apps: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: float | None = None

    def wants(self, event: Event) -> bool:
        """Tell whether an event is wanted."""
        if self.apps and event.app not in self.apps:
            return False
        if self.instances and event.instance not in self.instances:
            return False
        if self.since is not None and event.at < self.since:
            return False
        return self._wants_branch(event) and self._wants_kind(event.kind)

    def _wants_branch(self, event: Event) -> bool:
        if not self.branches or event.branch in self.branches:
            return True
        return event.data.get("branch") in self.branches

    def _wants_kind(self, kind: str) -> bool:
        if not self.kinds:
            return True
        return any(
            kind.startswith(each[:-1]) if each.endswith(".*") else kind == each
            for each in self.kinds
        )


EVERYTHING = EventFilter()
