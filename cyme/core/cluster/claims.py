"""Claiming the instances of a branch that is gone.

Laws:

* nothing is claimed from a branch that is there, nor from a worker that answers on the broker;
* an instance of this branch's own home is not claimed but taken back (``handovers``);
* what was examined is claimed only while its owner, its epoch and the owner's fate are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Effect, Examine, Tell, Write
from cyme.core.cluster.grounds import (
    EPOCH_MAX,
    OwnershipPolicy,
    Verdict,
    View,
    settled,
    takes,
)
from cyme.core.cluster.succession import Succession
from cyme.core.model import BranchId, Instance

#: Orphans are looked for so often, in seconds.
LOOK_S = 1.0

#: So many of them are considered at one tick at most.
ORPHANS_MAX = 500


@dataclass(slots=True, kw_only=True)
class _Claim:
    """An instance that is being examined or written.

    Attributes:
        record: Its latest record; of the owner and epoch that it was begun with.
        rank: How many candidates came before this branch.
        deadline: When an answer is not waited for any more (monotonic seconds).
        writing: Whether it was found to be free.
    """

    record: Instance
    rank: int
    deadline: float
    writing: bool = False


@dataclass(frozen=True, slots=True)
class _Pause:
    """Why an orphan is left alone for a while, and until when (monotonic seconds)."""

    until: float
    cause: str


class Claims:
    """What becomes of the instances whose owner is gone.

    Args:
        policy: The patience of take-over.
    """

    def __init__(self, policy: OwnershipPolicy) -> None:
        self._policy = policy
        self._succession = Succession(policy)
        self._claims: dict[str, _Claim] = {}
        self._pauses: dict[str, _Pause] = {}
        self._orphans: Iterator[str] = iter(())
        self._are_orphans = False  # whether the last look found any
        self._began: float | None = None
        self._look_at = 0.0

    @property
    def under_way(self) -> int:
        """How many instances are being examined or written."""
        return len(self._claims)

    @property
    def waits(self) -> bool:
        """Whether any instance is being examined or written, or its owner was found to be gone."""
        return bool(self._claims) or self._are_orphans

    def drop(self, name: str) -> None:
        """Forget whatever is under way for an instance."""
        self._claims.pop(name, None)

    def on_tick(
        self, now: float, view: View, room_now: Callable[[], int], taken: Collection[str]
    ) -> list[Effect]:
        """Begin to examine those whose turn has come.

        Args:
            now: Monotonic seconds.
            view: What is known.
            room_now: Tells how many there is room for at this moment.
            taken: Those that are on their way here already.
        """
        if self._began is None:
            self._began = self._look_at = now
        effects = self._expire(now)
        if not _may_claim(now, view, self._policy):
            self._pauses.clear()
            self._orphans, self._are_orphans = iter(()), False
            return effects
        some = list(islice(self._orphans, ORPHANS_MAX))
        if not some and now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look(view)
            some = list(islice(self._orphans, ORPHANS_MAX))
            self._are_orphans = bool(some)
        turns = [self._turn(now, view, name) for name in some if name not in taken]
        come = sorted(turn for turn in turns if turn)
        for _, name, rank in come[: max(0, room_now())] if come else ():
            effects += self._begin(now, view, name, rank)
        return effects

    def on_examined(
        self, now: float, view: View, instance: Instance, verdict: Verdict, why: str
    ) -> list[Effect]:
        """Claim an instance that is free; look again later at any other."""
        claim = self._claims.get(instance.name)
        if claim is None or claim.writing or _register(claim.record) != _register(instance):
            return []
        turn = claim.rank + 1
        match verdict:
            case Verdict.ALIVE:
                # Each candidate asks in its turn, so that a broker is not asked by all of them.
                return self._put_off(
                    now,
                    claim,
                    self._policy.alive_s * turn,
                    verdict,
                    f"{_fate(view, claim.record.owner)}, but its worker is alive and is left "
                    f"alone: {why}",
                )
            case Verdict.BROKER_AWAY:
                return self._put_off(
                    now,
                    claim,
                    self._policy.retry_s * turn,
                    verdict,
                    f"{_fate(view, claim.record.owner)}, but whether its worker is alive cannot "
                    f"be asked: {why}",
                )
            case Verdict.UNFIT:
                return self._put_off(
                    now,
                    claim,
                    self._policy.unfit_s,
                    verdict,
                    f"{_fate(view, claim.record.owner)}, but this machine cannot run it: {why}",
                )
        return self._claim(now, view, claim)

    def on_applied(self, view: View, before: Instance | None, after: Instance) -> list[Effect]:
        """Tell what was claimed, and give up what cannot be any more."""
        if before is not None and before.stamp != after.stamp:
            # Whatever was wrong with it may be mended by the change.
            self._pauses.pop(after.name, None)
        claim = self._claims.get(after.name)
        if claim is None:
            return []
        if not after.deleted and _register(claim.record) == _register(after):
            claim.record = after
            return []
        del self._claims[after.name]
        same = after.generation == claim.record.generation and not after.deleted
        if not same or after.owner != view.me:
            return []
        owner = claim.record.owner
        return [
            Tell(
                "instance.claimed",
                f"{_fate(view, owner)} and nobody runs it: it runs here now",
                instance=after.name,
                app=after.app,
                data={"from": owner, "home": after.home, "epoch": after.epoch},
            )
        ]

    def on_not_written(self, now: float, instance: Instance) -> list[Effect]:
        """Begin again later with a claim that could not be written."""
        claim = self._claims.get(instance.name)
        if claim is None or not claim.writing or instance.epoch != claim.record.epoch + 1:
            return []
        return self._put_off(
            now, claim, self._policy.retry_s, "unwritten", "the claim could not be written"
        )

    # --- looking for orphans --------------------------------------------------------------------

    def _look(self, view: View) -> None:
        """Begin to look for orphans anew; what rests and is no orphan any more is forgotten."""
        self._succession.look(view)
        self._pauses = {
            name: pause
            for name, pause in self._pauses.items()
            if self._grace_s(view, view.instance(name)) is not None
        }
        self._orphans = self._left_behind(view)

    def _left_behind(self, view: View) -> Iterator[str]:
        """Yield the names of the instances of all branches that are gone."""
        for owner in view.owners():
            if self._succession.grace_s(view.state(owner)) is not None:
                yield from [record.name for record in view.owned_by(owner)]

    def _turn(self, now: float, view: View, name: str) -> tuple[float, str, int] | None:
        """Return since when it is this branch's turn to claim, and its rank; None if it is not."""
        record = view.instance(name)
        grace_s = self._grace_s(view, record)
        if record is None or grace_s is None:
            return None
        app = view.app(record.app)
        rank = None if app is None else self._succession.rank(view.me, record, app)
        if rank is None or name in self._claims:
            return None
        turn = self._gone_since(view, record) + grace_s + rank * self._policy.rank_s
        rests_until = self._pauses[name].until if name in self._pauses else turn
        return (turn, name, rank) if now >= max(turn, rests_until) else None

    def _grace_s(self, view: View, record: Instance | None) -> float | None:
        """Return for how many seconds an instance is left to its owner, None if for ever."""
        if record is None or record.deleted or record.pinned:
            return None
        if view.me in {record.owner, record.home}:
            return None
        return self._succession.grace_s(view.state(record.owner))

    def _gone_since(self, view: View, record: Instance) -> float:
        assert self._began is not None
        return max(view.state_since(record.owner), view.arrived_at(record.name), self._began)

    # --- one claim ------------------------------------------------------------------------------

    def _begin(self, now: float, view: View, name: str, rank: int) -> list[Effect]:
        record = view.instance(name)
        assert record is not None
        claim = _Claim(record=record, rank=rank, deadline=now + self._policy.examine_s)
        if record.epoch >= EPOCH_MAX:
            return self._put_off(
                now,
                claim,
                self._policy.unfit_s,
                "epoch",
                "its epochs are used up: delete it and create it again",
            )
        self._claims[record.name] = claim
        return [Examine(record)]

    def _claim(self, now: float, view: View, claim: _Claim) -> list[Effect]:
        record = claim.record
        room = view.profile.instances_max > view.owned(view.me)
        gone = self._grace_s(view, record) is not None
        if not room or not gone or not _may_claim(now, view, self._policy):
            del self._claims[record.name]
            return []
        claim.writing, claim.deadline = True, now + self._policy.write_s
        return [
            Write(
                replace(
                    record,
                    owner=view.me,
                    home=view.me if self._is_forgotten(now, view, record.home) else record.home,
                    epoch=record.epoch + 1,
                )
            )
        ]

    def _is_forgotten(self, now: float, view: View, home: BranchId) -> bool:
        """Tell whether a home is not expected back, so that another takes its place.

        A branch that nobody knows is gone for good only after days: after a power cut the first
        branch that is up knows nobody, and shall not become the home of everything.
        """
        assert self._began is not None
        since = max(view.state_since(home), self._began)
        return view.state(home) is None and now >= since + self._policy.forget_s

    def _expire(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for claim in [claim for claim in self._claims.values() if now >= claim.deadline]:
            effects += self._put_off(
                now,
                claim,
                self._policy.retry_s * (claim.rank + 1),
                "unanswered",
                "whether it is free, or the claim written, was not known in time",
            )
        return effects

    def _put_off(
        self, now: float, claim: _Claim, pause_s: float, cause: str, reason: str
    ) -> list[Effect]:
        """Leave an orphan alone for a while; say why, unless that is what was said before."""
        record = claim.record
        self._claims.pop(record.name, None)
        said = self._pauses.get(record.name)
        self._pauses[record.name] = _Pause(now + pause_s, cause)
        if said is not None and said.cause == cause:
            return []
        return [
            Tell(
                "instance.not-claimed",
                reason,
                instance=record.name,
                app=record.app,
                data={"owner": record.owner, "epoch": record.epoch, "again_s": pause_s},
            )
        ]


def _may_claim(now: float, view: View, policy: OwnershipPolicy) -> bool:
    return settled(now, view, policy) and takes(view)


def _register(instance: Instance) -> tuple[int, int, str, bool]:
    """Return what must not change between an examination and its claim."""
    return (instance.generation, instance.epoch, instance.owner, instance.pinned)


def _fate(view: View, owner: BranchId) -> str:
    """Return what became of an owner, in words."""
    match view.state(owner):
        case BranchState.LEFT:
            return f"its branch {owner!r} left"
        case BranchState.FAILED:
            return f"its branch {owner!r} failed"
    return f"its branch {owner!r} is not there"
