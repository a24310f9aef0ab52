"""What the supervisor holds of each instance in its care."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from cyme.core.model import Broker, Instance
from cyme.core.status import InstanceStatus
from cyme.core.supervision import Memory, Wish
from cyme.core.usage import Usage
from cyme.core.vitals import InstanceVitals
from cyme.core.workers import Launch, Look, ProcessState
from cyme.runtime.brokers import Answer


@dataclass(frozen=True, slots=True)
class Intent:
    """What the records want of an instance.

    Attributes:
        wish: What the core decides by.
        broker: The broker that its worker uses.
        launch: How to start it, leaving out the queues that it must not have.
    """

    wish: Wish
    broker: Broker
    launch: Callable[[Collection[str]], Launch]

    def unwanted(self, why: str, *, removed: bool) -> Intent:
        """Return this intent for an instance that must not run here (any more)."""
        return replace(self, wish=replace(self.wish, runs=False, removed=removed, why_not=why))


class Intents(Protocol):
    """Turns records into intents."""

    def __call__(self, instance: Instance, *, restarts_asked: int) -> Intent:
        """Return what the records want of an instance.

        Args:
            instance: Its record, which may be a tombstone.
            restarts_asked: How often a restart was asked for since the branch started.
        """


class Care(StrEnum):
    """Why the supervisor cares for an instance."""

    OURS = "ours"  # this branch owns it
    GUEST = "guest"  # another branch owns it, and its worker is made to run here
    HELD = "held"  # another branch owns it; its worker is left as it is until that is settled
    GONE = "gone"  # another branch owns it; what runs of it here is to stop


@dataclass(slots=True, kw_only=True)
class Charge:
    """One instance in the supervisor's care.

    Attributes:
        name: The instance.
        app: Its app.
        intent: What is wished.
        memory: What is remembered.
        since_wall: Since when its state is what it is, seconds since 1970 UTC.
        care: Why it is here.
        survived: Whether its worker outlived a time in which this branch did not act: its
            restart, or a stall. Who owns the instance may have changed in that time.
        undecided_since: Since when such a worker is held (monotonic seconds), or None.
        restarts_asked: How often a restart was asked for.
        look: The last look at its process.
        usage: What its process used of the processors, as far as is known.
        slots: How many tasks its worker said that it can do at a time, None if it did not.
        answer: What the surveys learnt of it since the last pass.
        busy: Whether an effect on its process is under way; it is left alone meanwhile.
    """

    name: str
    app: str
    intent: Intent
    memory: Memory
    since_wall: float
    care: Care = Care.OURS
    survived: bool = False
    undecided_since: float | None = None
    restarts_asked: int = 0
    look: Look | None = None
    usage: Usage | None = None
    slots: int | None = None
    answer: Answer | None = None
    busy: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether its worker was alive when it was looked at last."""
        if self.memory.process is None:
            return False
        return self.look is None or self.look.state is not ProcessState.GONE

    def status(self) -> InstanceStatus:
        """Return what a caller is told of the instance."""
        look = self.look if self.memory.process is not None else None
        return InstanceStatus(
            state=self.memory.state,
            reason=self.memory.reason,
            pids=look.pids if look is not None else (),
            restarts=self.memory.restarts,
            since=self.since_wall,
        )

    def vitals(self) -> InstanceVitals:
        """Return what its worker takes, and how much it can do at a time."""
        process, look = self.memory.process, self.look
        if process is None or look is None or look.state is ProcessState.GONE:
            return InstanceVitals(name=self.name)
        usage = self.usage
        limits = self.memory.limits
        return InstanceVitals(
            name=self.name,
            cpu=usage.cpu if usage is not None and usage.process == process else None,
            memory_bytes=look.memory_bytes,
            processes=len(look.pids),
            uptime_s=look.age_s,
            slots=limits[1] if limits is not None else self.slots,
        )
