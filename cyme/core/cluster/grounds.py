"""What ownership is decided by: what is known, with how much patience, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cyme.core.branches import BranchState
from cyme.core.cluster.members import Profile, Statement
from cyme.core.model import App, BranchId, Instance

#: States in which a branch takes instances; one that is leaving is there, but not for long.
TAKING = frozenset({BranchState.ALIVE, BranchState.SUSPECT})

#: The greatest epoch that is ever written; receivers refuse those from 2**53 on.
EPOCH_MAX = 2**53 - 2


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
        retry_s: An examination that came to nothing is repeated after so long, and so is a write;
            pauses between attempts to take back begin with it.
        retry_s_max: Those pauses double up to this.
        alive_s: A worker that answered although its branch is gone is asked again after so long.
        unfit_s: So long a branch steps aside that lacks what an instance needs.
        forget_s: A home that nobody has known for so long is not expected back.
        settle_s: A branch has been with the others for so long before it takes anything.
        prepare_s: A worker that is prepared must run within so long; a move waits no longer for
            its turn either.
        examine_s: An examination must be answered within so long.
        write_s: A write must be answered within so long.
        tries_max: A write is tried so often; a worker that ran here all the time is given so
            many chances to answer before it gives way.
        prepared_max: So many instances are examined or prepared at the same time.
    """

    takeover_s: float | None = 30.0
    majority_factor: float = 6.0
    rank_s: float = 5.0
    leave_s: float = 600.0
    retry_s: float = 15.0
    retry_s_max: float = 600.0
    alive_s: float = 60.0
    unfit_s: float = 600.0
    forget_s: float = 72 * 3600.0
    settle_s: float = 3.0
    prepare_s: float = 120.0
    examine_s: float = 30.0
    write_s: float = 30.0
    tries_max: int = 5
    prepared_max: int = 8


class View(Protocol):
    """What the node knows at this moment; all times are monotonic seconds."""

    @property
    def me(self) -> BranchId:
        """This branch."""

    @property
    def profile(self) -> Profile:
        """What this branch says of itself."""

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act on what it owned before, as it may have lost it."""

    @property
    def joined_at(self) -> float | None:
        """Since when this branch is not fenced, None while it is."""

    def instance(self, name: str) -> Instance | None:
        """Return an instance's record, tombstones included."""

    def arrived_at(self, name: str) -> float:
        """Return when the owner of an instance was last learnt here."""

    def owners(self) -> Sequence[BranchId]:
        """Return the branches that own living instances, sorted."""

    def owned_by(self, branch: str) -> Sequence[Instance]:
        """Return the living instances that a branch owns, sorted by name."""

    def owned(self, branch: str) -> int:
        """Return how many living instances a branch owns."""

    def away_from(self, home: str) -> Sequence[Instance]:
        """Return the living instances of a home that another branch owns, sorted by name."""

    def app(self, name: str) -> App | None:
        """Return an app that is known here and not deleted."""

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be, None if nobody knows it (any more)."""

    def state_since(self, branch: str) -> float:
        """Return since when that is so; any earlier time will do for a branch nobody knows."""

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch, this one among them, sorted by id."""


def settled(now: float, view: View, policy: OwnershipPolicy) -> bool:
    """Tell whether this branch has been with the others for long enough to take anything."""
    joined_at = view.joined_at
    return not view.fenced and joined_at is not None and now >= joined_at + policy.settle_s


def takes(view: View) -> bool:
    """Tell whether this branch takes instances at all."""
    return not view.profile.drained and view.state(view.me) in TAKING
