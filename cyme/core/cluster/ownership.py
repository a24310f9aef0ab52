"""Who runs an instance when its owner is gone, comes back, or hands it over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Effect
from cyme.core.cluster.members import Statement
from cyme.core.model import BranchId, Instance


class Verdict(StrEnum):
    """What an examination of an instance comes to."""

    FREE = "free"  # nobody runs it, and this branch can
    ALIVE = "alive"  # its owner's worker answers: it is left alone
    BROKER_AWAY = "broker-away"  # the witness cannot be asked: ask again later
    UNFIT = "unfit"  # this machine lacks something: another branch may have it


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipPolicy:
    """The patience of take-over; all times in seconds.

    Attributes:
        takeover_s: Grace from the later of the owner's failure and the record's arrival; None
            turns take-over off.
        majority_factor: Grace is so many times longer while more than half are failed.
        rank_s: Each candidate waits so much longer than the one before it.
        leave_s: Grace for the instances of a branch that left as it was asked to.
        retry_s: An examination that came to nothing is repeated after so long.
        settle_s: A home that comes back has been with the others so long before it takes back.
        prepare_s: A worker that is prepared must run within so long.
        examine_s: An examination must be answered within so long.
        prepared_max: So many instances are examined or prepared at the same time.
    """

    takeover_s: float | None = 30.0
    majority_factor: float = 6.0
    rank_s: float = 5.0
    leave_s: float = 600.0
    retry_s: float = 15.0
    settle_s: float = 3.0
    prepare_s: float = 120.0
    examine_s: float = 30.0
    prepared_max: int = 8


class View(Protocol):
    """What ownership is decided by, as the node knows it at this moment."""

    @property
    def me(self) -> BranchId:
        """This branch."""

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act on what it owned before, as it may have lost it."""

    @property
    def joined_at(self) -> float | None:
        """When this branch was last not fenced first (monotonic seconds), None while it is."""

    def instance(self, name: str) -> Instance | None:
        """Return an instance's record, tombstones included."""

    def instances(self) -> Iterable[Instance]:
        """Return the records of all instances, tombstones included."""

    def arrived_at(self, name: str) -> float:
        """Return when the owner of an instance was last learnt here (monotonic seconds)."""

    def owned(self, branch: str) -> int:
        """Return how many living instances a branch owns."""

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be, None if nobody knows it (any more)."""

    def state_since(self, branch: str) -> float:
        """Return since when that is so (monotonic seconds)."""

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch, this one among them, sorted by id."""

    def has_app(self, name: str) -> bool:
        """Tell whether the app is known here and not deleted."""


class Ownership:
    """Decides about the instances that this branch may have to take, take back or give up.

    Args:
        policy: Its patience.
    """

    def __init__(self, policy: OwnershipPolicy) -> None:
        self._policy = policy

    def on_tick(self, now: float, view: View) -> list[Effect]:
        """Look for instances to examine, and give up what took too long."""
        raise NotImplementedError

    def on_examined(
        self, now: float, view: View, instance: Instance, verdict: Verdict, why: str
    ) -> list[Effect]:
        """Take in what an ``Examine`` came to."""
        raise NotImplementedError

    def on_prepared(
        self, now: float, view: View, instance: Instance, *, running: bool, why: str
    ) -> list[Effect]:
        """Take in what a ``Prepare`` came to."""
        raise NotImplementedError

    def on_applied(
        self, now: float, view: View, before: Instance | None, after: Instance
    ) -> list[Effect]:
        """Take in that a record changed, by this branch or by another."""
        raise NotImplementedError

    def on_not_written(self, now: float, view: View, instance: Instance) -> list[Effect]:
        """Take in that a ``Write`` failed."""
        raise NotImplementedError

    def take(self, now: float, view: View, instance: Instance) -> list[Effect]:
        """Begin to take an instance over from a living owner that asks for it (a move)."""
        raise NotImplementedError

    def keeps(self, name: str) -> bool:
        """Tell whether this branch is preparing the worker of an instance it does not own."""
        raise NotImplementedError
