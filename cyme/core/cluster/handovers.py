"""Taking an instance from a branch that runs it: back to its home, or to where it is moved.

Laws:

* its worker runs here before the record says so (``Prepare``, then ``Write``), so that at no time
  nobody runs it; the other branch stops its copy when it sees the higher epoch;
* a home takes back from whoever is not the home, never the other way round, so nothing goes to
  and fro; where its worker does not come to run the pauses between two attempts double;
* a home that lost an instance while its worker ran on (the others did not hear it, and somebody
  claimed) keeps the worker from that moment on, and writes itself the owner again as soon as the
  worker is seen to run. It gives way only if the worker does not answer time after time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum

from cyme.core.cluster.effects import Abandon, Effect, Prepare, Tell, Write
from cyme.core.cluster.grounds import (
    EPOCH_MAX,
    OwnershipPolicy,
    View,
    settled,
    takes,
)
from cyme.core.model import DEFAULT_SPEC, App, Instance, merged

#: Instances that are away from home are looked for so often, in seconds.
LOOK_S = 1.0

#: Pauses have their greatest length after so many doublings at the latest.
DOUBLINGS_MAX = 16


class _Stage(Enum):
    """How far a handover has come."""

    QUEUED = 1  # waits for its turn
    PREPARING = 2  # the worker is being started
    READY = 3  # the worker runs, the record is to be written
    WRITING = 4


@dataclass(slots=True, kw_only=True)
class _Handover:
    """An instance that this branch is about to take.

    Attributes:
        record: Its latest record.
        moves: Whether its owner asks for it; else this branch is its home and takes it back.
        kept: Whether its worker may have run here all the time, and is not to be stopped.
        stage: How far it has come.
        due: Until when it rests in that stage (monotonic seconds): a pause before what comes
            next, the deadline of an answer.
        ends: When a move is not waited for any more while it is queued (monotonic seconds).
        failures: How often its worker did not come to run.
        writes: How often the record was written in vain.
        epoch: What was written last.
    """

    record: Instance
    moves: bool = False
    kept: bool = False
    stage: _Stage = _Stage.QUEUED
    due: float
    ends: float = 0.0
    failures: int = 0
    writes: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class _Rest:
    """Until when a home does not try to take an instance back (monotonic seconds)."""

    until: float
    failures: int


_NO_REST = _Rest(float("-inf"), 0)


@dataclass(frozen=True, slots=True)
class Room:
    """What there is room for.

    Attributes:
        places: So many more may be under way.
        instances: So many more this branch may own.
    """

    places: int
    instances: int


class Handovers:
    """Instances on their way here from living owners.

    Args:
        policy: The patience of take-over.
    """

    def __init__(self, policy: OwnershipPolicy) -> None:
        self._policy = policy
        self._handovers: dict[str, _Handover] = {}
        self._rests: dict[str, _Rest] = {}
        self._look_at = float("-inf")

    @property
    def under_way(self) -> int:
        """How many are being prepared or written."""
        return sum(one.stage is not _Stage.QUEUED for one in self._handovers.values())

    def keeps(self, name: str) -> bool:
        """Tell whether the worker of an instance that another branch owns is not to be stopped."""
        one = self._handovers.get(name)
        return one is not None and (one.kept or one.stage is not _Stage.QUEUED)

    @property
    def names(self) -> Collection[str]:
        """The instances that are on their way."""
        return self._handovers.keys()

    # --- inputs ---------------------------------------------------------------------------------

    def on_tick(self, now: float, view: View, room_now: Callable[[], Room]) -> list[Effect]:
        """Look for what is to be taken back, and go on with what is due.

        Args:
            now: Monotonic seconds.
            view: What is known.
            room_now: Tells what there is room for at this moment.
        """
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._look(now, view)
        if not settled(now, view, self._policy):
            return []
        due = [one for one in self._handovers.values() if now >= one.due]
        if not due:
            return []
        effects: list[Effect] = []
        room = room_now()
        for one in due:
            waited = one.stage is _Stage.QUEUED
            effects += self._go_on(now, view, one, room)
            if waited and one.stage is not _Stage.QUEUED:
                room = Room(room.places - 1, room.instances - 1)
        return effects

    def take(self, now: float, view: View, instance: Instance, room: Room) -> list[Effect]:
        """Begin a move to this branch; ``Abandon`` says that it comes to nothing."""
        record = _latest(view.instance(instance.name), instance)
        one = self._handovers.get(record.name)
        if one is None or one.record.generation != record.generation:
            one = _Handover(record=record, due=now)
        one.record, one.moves, one.ends = record, True, now + self._policy.prepare_s
        if record.deleted:
            return self._give_up(now, one, "it is deleted")
        if record.owner == view.me:
            return self._stay(now, view, record)
        if record.name not in self._handovers and self._is_full(view):
            return self._give_up(now, one, "this branch is full")
        self._handovers[record.name] = one
        if one.stage is not _Stage.QUEUED or not settled(now, view, self._policy):
            return []
        return self._begin(now, view, one, room)

    def on_prepared(
        self, now: float, view: View, instance: Instance, *, running: bool, why: str
    ) -> list[Effect]:
        """Write the record of an instance whose worker runs; try again with another, or not."""
        one = self._handovers.get(instance.name)
        if one is None:
            known = view.instance(instance.name)
            mine = known is not None and known.owner == view.me
            return [Abandon(instance)] if running and not mine else []
        if one.stage is not _Stage.PREPARING:
            return []
        if not running:
            return self._failed(now, one, f"its worker does not come to run here: {why}")
        one.stage, one.due = _Stage.READY, now
        return self._write(now, view, one) if settled(now, view, self._policy) else []

    def on_applied(
        self, now: float, view: View, before: Instance | None, after: Instance
    ) -> list[Effect]:
        """Tell what was taken, give up what cannot be any more, keep what was lost unheard."""
        if before is not None and before.stamp != after.stamp:
            # Whatever was wrong with it may be mended by the change.
            self._rests.pop(after.name, None)
        one = self._handovers.get(after.name)
        if one is None:
            return self._lost(now, view, before, after)
        latest = _latest(one.record, after)
        if latest.owner == view.me and not latest.deleted:
            return self._done(one, latest)
        obstacle = _obstacle(view, one, latest)
        if obstacle is not None:
            return self._give_up(now, one, obstacle)
        one.record = latest
        if one.stage is _Stage.WRITING and latest.epoch >= one.epoch:
            # What was written came too late and counts for nothing: it takes a higher epoch.
            return self._unwritten(now, one, pause_s=0.0)
        return []

    def on_not_written(self, now: float, instance: Instance) -> list[Effect]:
        """Write again later; the worker goes on."""
        one = self._handovers.get(instance.name)
        if one is None or one.stage is not _Stage.WRITING or instance.epoch != one.epoch:
            return []
        return self._unwritten(now, one, self._policy.retry_s)

    # --- beginnings -----------------------------------------------------------------------------

    def _look(self, now: float, view: View) -> None:
        """Queue what is away from its home here."""
        away = view.away_from(view.me)
        names = {record.name for record in away}
        self._rests = {name: rest for name, rest in self._rests.items() if name in names}
        if not takes(view):
            return
        # What a branch finds at its start may have a worker from before, which is adopted.
        kept = not settled(now, view, self._policy)
        for record in away:
            rest = self._rests.get(record.name, _NO_REST)
            if record.name in self._handovers or now < rest.until:
                continue
            if kept or not self._is_full(view):
                self._handovers[record.name] = _Handover(
                    record=record, kept=kept, due=now, failures=rest.failures
                )

    def _lost(
        self, now: float, view: View, before: Instance | None, after: Instance
    ) -> list[Effect]:
        """Take in that another branch owns an instance; keep the worker if this is its home."""
        if before is None or (before.owner, before.generation) != (view.me, after.generation):
            return []
        if after.owner == view.me or before.deleted or after.deleted:
            return []
        if after.home != view.me or not takes(view):
            return []  # the copy here stops, and the supervisor tells so
        self._handovers[after.name] = _Handover(record=after, kept=True, due=now)
        reason = (
            f"branch {after.owner!r} took it while this branch was not heard; this is its home, "
            "which takes it back, and stops no worker of it that runs here"
        )
        return [_tell("instance.kept", reason, after)]

    def _is_full(self, view: View) -> bool:
        return view.owned(view.me) + len(self._handovers) >= view.profile.instances_max

    def _stay(self, now: float, view: View, record: Instance) -> list[Effect]:
        """Make this branch, which owns an instance already, its home."""
        if record.home == view.me:
            return []
        if not settled(now, view, self._policy) or record.epoch >= EPOCH_MAX:
            why = "this branch has just come up, or its epochs are used up"
            return [_tell("instance.not-moved", why, record)]
        return [Write(replace(record, home=view.me, epoch=record.epoch + 1))]

    # --- one handover ---------------------------------------------------------------------------

    def _go_on(self, now: float, view: View, one: _Handover, room: Room) -> list[Effect]:
        match one.stage:
            case _Stage.QUEUED:
                return self._begin(now, view, one, room)
            case _Stage.PREPARING:
                waited = f"its worker did not come to run here in {self._policy.prepare_s:g} s"
                return self._failed(now, one, waited)
            case _Stage.READY:
                return self._write(now, view, one)
        return self._unwritten(now, one, pause_s=0.0)

    def _begin(self, now: float, view: View, one: _Handover, room: Room) -> list[Effect]:
        why_not = self._barred(view, one) or self._crowded(now, one, room)
        if why_not is not None:
            return self._give_up(now, one, *why_not)
        app = view.app(one.record.app)
        if app is None:
            one.due = now + self._policy.settle_s
            return []
        if room.places <= 0:
            return []
        if not _is_enabled(one.record, app):
            return self._write(now, view, one)
        one.stage, one.due = _Stage.PREPARING, now + self._policy.prepare_s
        return [Prepare(one.record)]

    def _write(self, now: float, view: View, one: _Handover) -> list[Effect]:
        record = one.record
        why_not = self._barred(view, one)
        if why_not is not None:
            return self._give_up(now, one, *why_not)
        one.stage, one.due = _Stage.WRITING, now + self._policy.write_s
        one.epoch = record.epoch + 1
        return [Write(replace(record, owner=view.me, home=view.me, epoch=one.epoch))]

    def _barred(self, view: View, one: _Handover) -> tuple[str, float] | None:
        """Return why this branch does not take an instance, and for how many seconds."""
        if not takes(view):
            return "this branch is drained, or about to leave", 0.0
        if one.record.epoch >= EPOCH_MAX:
            why = "its epochs are used up: delete it and create it again"
            return why, self._policy.retry_s_max
        return None

    def _crowded(self, now: float, one: _Handover, room: Room) -> tuple[str, float] | None:
        """Return why there is no room for an instance, and for how many seconds."""
        if one.moves and now >= one.ends:
            return "others were before it for too long", 0.0
        if room.instances <= 0 and not one.kept:
            return "this branch is full", self._policy.retry_s
        return None

    def _unwritten(self, now: float, one: _Handover, pause_s: float) -> list[Effect]:
        one.writes += 1
        if one.writes >= self._policy.tries_max:
            why = "that it runs here could not be written"
            return self._give_up(now, one, why, self._policy.retry_s_max)
        one.stage, one.due = _Stage.READY, now + pause_s
        return []

    def _failed(self, now: float, one: _Handover, why: str) -> list[Effect]:
        doublings = min(one.failures, DOUBLINGS_MAX)
        pause_s = min(self._policy.retry_s * 2**doublings, self._policy.retry_s_max)
        one.failures += 1
        if not one.kept or one.failures >= self._policy.tries_max:
            return self._give_up(now, one, why, pause_s)
        one.stage, one.due = _Stage.QUEUED, now + pause_s
        return [_tell(_kind(one, "not-"), why, one.record, again_s=pause_s)]

    def _done(self, one: _Handover, latest: Instance) -> list[Effect]:
        del self._handovers[latest.name]
        self._rests.pop(latest.name, None)
        if latest.generation != one.record.generation:
            return []
        owner = one.record.owner
        reason = f"its worker runs here now, and the copy on branch {owner!r} stops"
        return [_tell(_kind(one), reason, latest, **{"from": owner})]

    def _give_up(self, now: float, one: _Handover, why: str, pause_s: float = 0.0) -> list[Effect]:
        record = one.record
        self._handovers.pop(record.name, None)
        self._rests[record.name] = _Rest(now + pause_s, one.failures)
        return [Abandon(record), _tell(_kind(one, "not-"), why, record)]


def _latest(mine: Instance | None, theirs: Instance) -> Instance:
    latest = merged(mine, theirs)
    assert isinstance(latest, Instance)
    return latest


def _obstacle(view: View, one: _Handover, latest: Instance) -> str | None:
    """Return why an instance is not to come here any more, None if it is."""
    if latest.deleted or latest.generation != one.record.generation:
        return "it was deleted"
    if one.moves and latest.owner != one.record.owner:
        return f"branch {latest.owner!r} took it meanwhile"
    if not one.moves and latest.home != view.me:
        return f"its home is branch {latest.home!r} now"
    return None


def _is_enabled(record: Instance, app: App) -> bool:
    """Tell whether a worker is to run at all; where none is there is none to prepare."""
    return record.spec.over(app.spec).over(DEFAULT_SPEC).is_enabled is not False


def _kind(one: _Handover, prefix: str = "") -> str:
    return f"instance.{prefix}{'moved' if one.moves else 'taken-back'}"


def _tell(kind: str, reason: str, record: Instance, **data: object) -> Tell:
    data |= {"owner": record.owner, "home": record.home, "epoch": record.epoch}
    return Tell(kind, reason, instance=record.name, app=record.app, data=data)
