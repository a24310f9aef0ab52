"""Alerts: what somebody should look at, when it is said, and when it is said to be over.

Who looks says what holds at a moment (``Condition``); the book decides what of it is told
(``Notice``).

Laws:

* something is told once it has held for as long as its kind asks, and is over once it has not
  held for as long;
* every notice that something is over follows one that it began, and has the same id;
* what comes back again and again is told at ever longer intervals;
* what is not known at a moment changes nothing, and what another branch tells of by now is
  forgotten without a word;
* what every branch sees alike has the same id whoever tells of it, so that a receiver knows it
  when another branch tells of it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Final

#: Alerts that a branch knows at a time; what is more is not told.
ALERTS_MAX: Final = 10_000

#: What comes back within so long after it was over is the same trouble, in seconds.
FLAP_S: Final = 1_800.0

#: It is waited at most so many times longer until such trouble is over.
FLAP_FACTOR_MAX: Final = 16

_ID_CHARS: Final = 32


class AlertKind(StrEnum):
    """What an alert is about; its subject is a name of that."""

    INSTANCE_DISABLED = "instance-disabled"
    INSTANCE_UNRESPONSIVE = "instance-unresponsive"
    BRANCH_FAILED = "branch-failed"
    QUEUE_DEEP = "queue-deep"
    QUEUE_UNCONSUMED = "queue-unconsumed"
    BROKER_LOST = "broker-lost"
    DATABASE_LOST = "database-lost"


class AlertState(StrEnum):
    """Whether something holds, or is over."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Ground(StrEnum):
    """What this branch can say of something that it does not see to hold.

    ``over``: it does not hold; ``unknown``: it cannot tell; ``elsewhere``: others tell of it.
    """

    OVER = "over"
    UNKNOWN = "unknown"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long it is waited, in seconds.

    Attributes:
        fires_after_s: Until something that holds is told.
        over_after_s: Until something that does not hold any more is over.
    """

    fires_after_s: float
    over_after_s: float


PATIENCE: Final = {
    AlertKind.INSTANCE_DISABLED: Patience(0.0, 10.0),
    AlertKind.INSTANCE_UNRESPONSIVE: Patience(60.0, 30.0),
    AlertKind.BRANCH_FAILED: Patience(0.0, 10.0),
    AlertKind.QUEUE_DEEP: Patience(30.0, 60.0),
    AlertKind.QUEUE_UNCONSUMED: Patience(60.0, 30.0),
    AlertKind.BROKER_LOST: Patience(15.0, 30.0),
    AlertKind.DATABASE_LOST: Patience(10.0, 10.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertKey:
    """What an alert is about.

    Attributes:
        kind: What kind of trouble.
        subject: The instance, queue or broker (its masked URL), or the branch; of a database the
            branch whose it is.
        app: The app that it belongs to, if to one.
    """

    kind: AlertKind
    subject: str
    app: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that holds at this moment.

    Attributes:
        key: What it is about.
        reason: What holds and why, in words for an operator; never a secret.
        since: Since when it does, seconds since 1970 UTC; None if that is not known.
        occurrence: Which of the times it is that this holds, in the same words at every branch
            that sees it; None if only this branch could say.
    """

    key: AlertKey
    reason: str
    since: float | None = None
    occurrence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that somebody should look at.

    Attributes:
        id: The same for all that is told of this trouble, and never used again.
        kind: What kind of trouble.
        subject: The instance, branch, queue or broker.
        app: The app that it belongs to, if to one.
        reason: What holds and why, in words.
        since: Since when, seconds since 1970 UTC.
    """

    id: str
    kind: AlertKind
    subject: str
    app: str | None
    reason: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is to be told.

    Attributes:
        alert: The alert.
        state: Whether it began or is over.
        at: When that was decided, seconds since 1970 UTC.
    """

    alert: Alert
    state: AlertState
    at: float


@dataclass(slots=True)
class _Entry:
    """What is known of one trouble.

    Attributes:
        alert: As it was told, or would be.
        holds_since: Since when it has held without a break (monotonic seconds).
        over_since: Since when it has not, None while it does.
        is_told: Whether it was told and is not over.
        flaps: How often it came back within ``FLAP_S``.
        ended_at: When it was over (monotonic seconds), None while it is not.
    """

    alert: Alert
    holds_since: float
    over_since: float | None = None
    is_told: bool = False
    flaps: int = 0
    ended_at: float | None = None


class AlertBook:
    """Decides what is told of what holds.

    Args:
        cluster: The name of the cluster, which goes into the ids.
        branch: The branch that tells.
    """

    def __init__(self, cluster: str, branch: str) -> None:
        self._cluster = cluster
        self._branch = branch
        self._entries: dict[AlertKey, _Entry] = {}

    def firing(self) -> tuple[Alert, ...]:
        """Return what was told and is not over, the oldest first."""
        told = [entry.alert for entry in self._entries.values() if entry.is_told]
        return tuple(sorted(told, key=lambda alert: (alert.since, alert.subject)))

    def see(
        self,
        conditions: Iterable[Condition],
        ground: Callable[[AlertKey], Ground],
        *,
        now: float,
        wall: float,
    ) -> list[Notice]:
        """Take in what holds at a moment, and return what is to be told.

        Args:
            conditions: All that this branch sees to hold and has to tell of.
            ground: Says of what is not among those why that is.
            now: The time, monotonic seconds.
            wall: The same in seconds since 1970 UTC.
        """
        notices: list[Notice] = []
        holding = {condition.key: condition for condition in conditions}
        for condition in holding.values():
            notices += self._holds(condition, now, wall)
        for key in [key for key in self._entries if key not in holding]:
            match ground(key):
                case Ground.ELSEWHERE:
                    del self._entries[key]
                case Ground.OVER:
                    notices += self._is_over(key, now, wall)
        return notices

    def _holds(self, condition: Condition, now: float, wall: float) -> list[Notice]:
        entry = self._entries.get(condition.key)
        if entry is None:
            if len(self._entries) >= ALERTS_MAX:
                return []
            entry = _Entry(self._alert(condition, wall), now)
            self._entries[condition.key] = entry
        elif not entry.is_told and entry.over_since is not None:
            entry.alert, entry.holds_since = self._alert(condition, wall), now
        entry.alert = replace(entry.alert, reason=condition.reason)  # as it is by now
        entry.over_since = None
        if entry.is_told or now - entry.holds_since < PATIENCE[condition.key.kind].fires_after_s:
            return []
        if entry.ended_at is not None:
            entry.flaps += 1
            entry.ended_at = None
        entry.is_told = True
        return [Notice(alert=entry.alert, state=AlertState.FIRING, at=wall)]

    def _is_over(self, key: AlertKey, now: float, wall: float) -> list[Notice]:
        entry = self._entries[key]
        if entry.over_since is None:
            entry.over_since = now
        if not entry.is_told:
            if entry.ended_at is None or now - entry.ended_at >= FLAP_S:
                del self._entries[key]
            return []
        factor = min(2**entry.flaps, FLAP_FACTOR_MAX)
        if now - entry.over_since < PATIENCE[key.kind].over_after_s * factor:
            return []
        entry.is_told, entry.ended_at = False, now
        return [Notice(alert=entry.alert, state=AlertState.RESOLVED, at=wall)]

    def _alert(self, condition: Condition, wall: float) -> Alert:
        key = condition.key
        since = wall if condition.since is None else condition.since
        seen = condition.occurrence or f"{self._branch}\n{since!r}"
        named = f"{self._cluster}\n{key.kind}\n{key.app}\n{key.subject}\n{seen}"
        return Alert(
            id=sha256(named.encode("utf-8", "replace")).hexdigest()[:_ID_CHARS],
            kind=key.kind,
            subject=key.subject,
            app=key.app,
            reason=condition.reason,
            since=since,
        )
