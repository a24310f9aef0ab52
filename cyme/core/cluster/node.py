"""One branch of the cluster as a state machine: messages, ticks and deeds in, effects out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Effect, Link
from cyme.core.cluster.items import InstanceNews
from cyme.core.cluster.members import Profile, Statement
from cyme.core.cluster.messages import Message
from cyme.core.cluster.ownership import OwnershipPolicy, Verdict
from cyme.core.model import BranchId, Instance, Record
from cyme.core.status import InstanceStatus

#: A node is to be ticked so often, in seconds.
TICK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node is told at its start.

    Attributes:
        branch: Its id.
        boot: Which of its lives this is, from 1; never used before.
        profile: What it says of itself.
        seed: Whatever it leaves to chance is a function of this.
        joins: Endpoints that the user named; tried for ever until one answers.
        known: Endpoints of branches that were known at the end of the last life.
        policy: The patience of take-over.
    """

    branch: BranchId
    boot: int
    profile: Profile
    seed: int
    joins: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    policy: OwnershipPolicy = field(default_factory=OwnershipPolicy)


class Node:
    """One branch of the cluster.

    Every method takes the time in monotonic seconds, which never falls, and returns the effects
    to be performed in order.
    """

    def __init__(self, settings: NodeSettings, records: Iterable[Record]) -> None:
        raise NotImplementedError

    # --- inputs ---------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """Begin: greet those who were known."""
        raise NotImplementedError

    def on_tick(self, now: float) -> list[Effect]:
        """Do what is due.

        It is to be called every ``TICK_S``, and after a stall only when what arrived meanwhile
        was taken in.
        """
        raise NotImplementedError

    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        """Take in a message; ``link`` leads back to its sender, None if it was published."""
        raise NotImplementedError

    def on_found(self, now: float, endpoint: str) -> list[Effect]:
        """Take in that the beacon found a branch's ROUTER socket."""
        raise NotImplementedError

    def on_applied(self, now: float, records: Sequence[Record], *, here: bool) -> list[Effect]:
        """Take in that records are durable and applied; ``here``: written by this branch."""
        raise NotImplementedError

    def on_forgotten(self, now: float, records: Sequence[Record]) -> list[Effect]:
        """Take in that tombstones were forgotten after their time."""
        raise NotImplementedError

    def on_not_written(self, now: float, instance: Instance) -> list[Effect]:
        """Take in that a ``Write`` failed."""
        raise NotImplementedError

    def on_examined(
        self, now: float, instance: Instance, verdict: Verdict, why: str = ""
    ) -> list[Effect]:
        """Take in what an ``Examine`` came to."""
        raise NotImplementedError

    def on_prepared(
        self, now: float, instance: Instance, *, running: bool, why: str = ""
    ) -> list[Effect]:
        """Take in what a ``Prepare`` came to."""
        raise NotImplementedError

    def on_status(self, now: float, instance: str, status: InstanceStatus) -> list[Effect]:
        """Take in that the state of an instance that this branch owns changed."""
        raise NotImplementedError

    def on_performed(self, now: float, call: str, *, ok: bool, value: bytes) -> list[Effect]:
        """Take in what a ``Perform`` came to."""
        raise NotImplementedError

    # --- deeds of this branch -------------------------------------------------------------------

    def call(
        self,
        now: float,
        *,
        call: str,
        target: BranchId,
        method: str,
        arguments: bytes,
        timeout_s: float,
        hops: int = 0,
    ) -> list[Effect]:
        """Ask another branch to perform a call; exactly one ``Settle`` follows by the deadline."""
        raise NotImplementedError

    def take(self, now: float, instance: Instance) -> list[Effect]:
        """Begin to take an instance over from its living owner, which asks for it."""
        raise NotImplementedError

    def change_profile(self, now: float, profile: Profile) -> list[Effect]:
        """Say something else of this branch; its endpoints and nonce stay."""
        raise NotImplementedError

    def leave(self, now: float) -> list[Effect]:
        """Say that this branch is about to stop; its workers stay, and it is expected back."""
        raise NotImplementedError

    def left(self, now: float) -> list[Effect]:
        """Say that this branch has stopped."""
        raise NotImplementedError

    # --- what is known --------------------------------------------------------------------------

    @property
    def joined(self) -> bool:
        """Whether the start is over: greeted and checked, or nobody answered in time."""
        raise NotImplementedError

    @property
    def fenced(self) -> bool:
        """Whether this branch may not act on what it owned, as it may have lost it."""
        raise NotImplementedError

    @property
    def digest(self) -> int:
        """64 bits that are the same on all branches that know the same."""
        raise NotImplementedError

    def statements(self) -> Sequence[Statement]:
        """Return the latest word about every branch, this one among them, sorted by id."""
        raise NotImplementedError

    def state(self, branch: str) -> BranchState | None:
        """Return what a branch is held to be, None if nobody knows it (any more)."""
        raise NotImplementedError

    def state_since(self, branch: str) -> float:
        """Return since when that is so (monotonic seconds)."""
        raise NotImplementedError

    def heard_at(self, branch: str) -> float:
        """Return when a branch was last heard of, be it through others (monotonic seconds)."""
        raise NotImplementedError

    def news(self, instance: str) -> InstanceNews | None:
        """Return what the owner of an instance told last of it, None if nothing is known."""
        raise NotImplementedError
