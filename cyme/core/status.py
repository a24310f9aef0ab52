"""What a caller is told of an instance beyond its record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InstanceState(StrEnum):
    """Where an instance stands between what is wished and what runs.

    ``stopped`` is what the user wished; ``disabled`` is what the restart budget did; in
    ``unknown`` its broker or its owner cannot be asked.
    """

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    UNRESPONSIVE = "unresponsive"
    STOPPING = "stopping"
    STOPPED = "stopped"
    BACKOFF = "backoff"
    DISABLED = "disabled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    """The state of an instance, and why.

    Attributes:
        state: Where it stands.
        reason: Why, in words for an operator.
        pids: Its processes, the worker's main process first; empty when none runs.
        restarts: How often it was restarted since its branch started.
        since: When it came into this state, seconds since 1970 UTC.
    """

    state: InstanceState
    reason: str
    pids: tuple[int, ...] = ()
    restarts: int = 0
    since: float = 0.0


UNSEEN = InstanceStatus(
    state=InstanceState.PENDING, reason="the supervisor has not looked at it yet"
)
