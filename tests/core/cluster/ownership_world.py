"""A toy world for ownership: branches that perceive each other, share records and run workers.

Everything but ownership itself is as simple as can be, and follows the rules that the real ones
follow: a branch sees another fail after some seconds of silence; records arrive late, or not at
all, and are repaired every few seconds; a restarted branch is fenced until it has compared; the
supervisor runs what its branch owns and stops what it does not own and does not keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from cyme.core.cluster.effects import Abandon, Effect, Examine, Prepare, Tell, Write
from cyme.core.cluster.ownership import Ownership, OwnershipPolicy, Verdict
from cyme.core.model import BranchId, Instance, Stamp, merged
from tests.core.cluster.ownership_view import (
    ALIVE,
    FAILED,
    LEFT,
    FakeView,
    instance,
    profile,
)

DETECT_S = 3.0
REPAIR_S = 5.0
FENCE_S = 1.0
POLICY = OwnershipPolicy(
    takeover_s=4.0,
    majority_factor=2.0,
    rank_s=1.0,
    leave_s=20.0,
    retry_s=2.0,
    retry_s_max=60.0,
    alive_s=5.0,
    unfit_s=20.0,
    settle_s=1.0,
    prepared_max=2,
)


class Branch:
    """One branch: what survives its restarts, and what does not.

    Attributes:
        broken: Whether no worker comes to run on its machine any more.
        full_disk: Whether nothing can be written.
        disk_was_full: Whether that ever was so.
    """

    def __init__(self, world: World, name: str) -> None:
        self.name = BranchId(name)
        self.world = world
        self.records: dict[str, Instance] = {}
        self.up = False
        self.drained = self.broken = self.full_disk = self.disk_was_full = False
        self.start()

    def start(self) -> None:
        """Come up with what is on disk, fenced, knowing nobody."""
        self.up = True
        self.ownership = Ownership(POLICY)
        self.view = FakeView(self.name)
        self.view.records = self.records
        self.view.arrived = dict.fromkeys(self.records, self.world.now)
        self.heard: dict[str, float] = {}
        self.inputs: list[Effect] = []
        self.raise_fence()

    def raise_fence(self) -> None:
        """Not know any more what is owned, after a start or a stall."""
        self.view.fenced, self.view.joined_at = True, None
        self.fenced_since = self.world.now

    # --- perception ---

    def perceive(self) -> None:
        now, view = self.world.now, self.view
        view.profiles[self.name] = profile(drained=self.drained)
        for other in self.world.branches.values():
            if other is self:
                continue
            if self.world.hears(self, other):
                self.heard[other.name] = now
                view.profiles[other.name] = profile(drained=other.drained)
                if view.state(other.name) is not ALIVE:
                    view.states[other.name] = (ALIVE, now)
            elif view.state(other.name) is ALIVE and now >= self.heard[other.name] + DETECT_S:
                view.states[other.name] = (FAILED, now)
        if view.fenced and now >= self.fenced_since + FENCE_S:
            for other in self.world.reachable(self):
                self.world.compare(self, other)
            view.fenced, view.joined_at = False, now

    # --- records ---

    def write(self, record: Instance) -> None:
        """Make a record of this branch's durable, apply it and publish it."""
        if self.absorb(record):
            self.world.publish(self, self.records[record.name])

    def absorb(self, record: Instance) -> bool:
        before = self.records.get(record.name)
        after = merged(before, record)
        assert isinstance(after, Instance)
        if after is before:
            return False
        if before is not None and before.generation == after.generation:
            assert after.epoch >= before.epoch, "epochs never fall"
            assert after.deleted or not before.deleted, "nothing deleted returns"
        self.records[record.name] = after
        if before is None or before.owner != after.owner:
            self.view.arrived[record.name] = self.world.now
        self._do(self.ownership.on_applied(self.world.now, self.view, before, after))
        return True

    # --- deeds ---

    def go_on(self) -> None:
        """Perform what was asked for, look again, and see to the workers."""
        inputs, self.inputs = self.inputs, []
        for effect in inputs:
            self._perform(effect)
        self._do(self.ownership.on_tick(self.world.now, self.view))
        if not self.view.fenced:
            self._supervise()

    def take(self, record: Instance) -> None:
        self._do(self.ownership.take(self.world.now, self.view, record))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Write(record):
                    self._check_write(record)
                    self.inputs.append(effect)
                case Examine() | Prepare():
                    assert not self.view.fenced, "a fenced branch takes nothing"
                    self.inputs.append(effect)
                case Abandon(record):
                    assert not self.ownership.keeps(record.name)
                case Tell():
                    self.world.told.append((self.name, effect.kind))
                case _:
                    raise AssertionError(effect)

    def _check_write(self, record: Instance) -> None:
        assert record.owner == self.name
        assert not self.view.fenced, "a fenced branch takes nothing"
        if record.home == self.name:
            assert (record.name, self.name) in self.world.workers, "start before stop"
        else:
            assert self.records[record.name].owner != self.name

    def _perform(self, effect: Effect) -> None:
        now, view, workers = self.world.now, self.view, self.world.workers
        match effect:
            case Write(record) if self.full_disk:
                self._do(self.ownership.on_not_written(now, view, record))
            case Write(record):
                self.write(record)
            case Examine(record):
                verdict = self.world.examine(self, record)
                self._do(self.ownership.on_examined(now, view, record, verdict, "asked"))
            case Prepare(record):
                if not self.broken:
                    workers.add((record.name, self.name))
                running = (record.name, self.name) in workers
                self._do(
                    self.ownership.on_prepared(now, view, record, running=running, why="broken")
                )

    def _supervise(self) -> None:
        for name, record in self.records.items():
            mine = record.owner == self.name and not record.deleted
            if mine and not self.broken:
                self.world.workers.add((name, self.name))
                self.world.killed.discard((name, self.name))
                continue
            here = (name, self.name) in self.world.workers
            if here and not mine and not self.ownership.keeps(name):
                self._check_stop(record)
                self.world.workers.discard((name, self.name))

    def _check_stop(self, record: Instance) -> None:
        if record.deleted:
            return
        gives_way = self.drained or self.disk_was_full or self.world.was_broken
        assert record.home != self.name or gives_way, "a home that ran on is never stopped"
        others = [where for name, where in self.world.workers if name == record.name]
        if others != [self.name] or record.owner != record.home:
            return  # somebody runs it, or it was claimed, which begins with the record
        owner = self.world.branches[record.owner]
        overruled = owner.records[record.name].owner != owner.name
        killed = (record.name, record.owner) in self.world.killed
        assert overruled or killed, "a handover never passes zero workers"


class World:
    """Branches, their workers, and what lies between them.

    Args:
        names: Of the branches.
        latency_s: How long a record is on its way.

    Attributes:
        workers: Which instances run on which branches.
        killed: Those that fell with their machine, and were not started since.
        sides: Branches of different sides do not hear each other.
        broker_split: Whether nor do they see each other's workers on the broker.
        broker_away: Whether nobody sees any worker on the broker.
        was_broken: Whether a machine ever could run no worker.
    """

    def __init__(self, names: list[str], latency_s: float) -> None:
        self.now = 50_000.0
        self.latency_s = latency_s
        self.workers: set[tuple[str, str]] = set()
        self.killed: set[tuple[str, str]] = set()
        self.sides: dict[str, int] = dict.fromkeys(names, 0)
        self.broker_split = self.broker_away = self.was_broken = False
        self.told: list[tuple[str, str]] = []
        self._mail: list[tuple[float, str, str, Instance]] = []
        self._repair_at = 0.0
        self._writes = 0
        self.branches: dict[str, Branch] = {}
        self.branches = {name: Branch(self, name) for name in names}

    # --- what lies between ---

    def hears(self, one: Branch, other: Branch) -> bool:
        return one.up and other.up and self.sides[one.name] == self.sides[other.name]

    def reachable(self, one: Branch) -> Iterator[Branch]:
        for other in self.branches.values():
            if other is not one and self.hears(one, other):
                yield other

    def publish(self, sender: Branch, record: Instance) -> None:
        for name in self.branches:
            if name != sender.name:
                self._mail.append((self.now + self.latency_s, sender.name, name, record))

    def compare(self, one: Branch, other: Branch) -> None:
        for name in sorted({*one.records, *other.records}):
            for source, target in ((one, other), (other, one)):
                if name in source.records and not target.full_disk:
                    target.absorb(source.records[name])

    def examine(self, branch: Branch, record: Instance) -> Verdict:
        seen = not self.broker_split or self.sides[branch.name] == self.sides[record.owner]
        if self.broker_away:
            return Verdict.BROKER_AWAY
        if seen and (record.name, record.owner) in self.workers:
            return Verdict.ALIVE
        return Verdict.UNFIT if branch.broken else Verdict.FREE

    def step(self, seconds: float) -> None:
        """Let that much time go by at once."""
        self.now += seconds
        due = [mail for mail in self._mail if mail[0] <= self.now]
        self._mail = [mail for mail in self._mail if mail[0] > self.now]
        for _, sender, receiver, record in due:
            target = self.branches[receiver]
            if self.hears(self.branches[sender], target) and not target.full_disk:
                target.absorb(record)
        branches = [branch for branch in self.branches.values() if branch.up]
        for branch in branches:
            branch.perceive()
        if self.now >= self._repair_at:
            self._repair_at = self.now + REPAIR_S
            for one in branches:
                for other in self.reachable(one):
                    self.compare(one, other)
        for branch in branches:
            branch.go_on()

    def wait(self, seconds: float, tick_s: float | None = None) -> None:
        tick_s = tick_s or (0.5 if seconds < 10 else 1.0)
        for _ in range(round(seconds / tick_s)):
            self.step(tick_s)

    # --- what people and fate do ---

    def stamp(self) -> Stamp:
        self._writes += 1
        return Stamp(self._writes, 0, "w")

    def create(self, name: str, where: Branch) -> None:
        known = [b.records[name] for b in self.branches.values() if name in b.records]
        if any(not record.deleted for record in known) or where.full_disk:
            return
        generation = 1 + max((record.generation for record in known), default=0)
        where.write(replace(instance(name, where.name), stamp=self.stamp(), generation=generation))

    def delete(self, name: str, where: Branch) -> None:
        record = where.records.get(name)
        if record is not None and record.owner == where.name and not where.full_disk:
            where.write(replace(record, stamp=self.stamp(), deleted=True))

    def fall(self, branch: Branch, *, workers_too: bool) -> None:
        branch.up = False
        if workers_too:
            fallen = {(name, where) for name, where in self.workers if where == branch.name}
            self.workers -= fallen
            self.killed |= fallen

    def leave(self, branch: Branch) -> None:
        for other in list(self.reachable(branch)):
            other.view.profiles[branch.name] = profile(drained=branch.drained)
            other.view.states[branch.name] = (LEFT, self.now)
        branch.up = False
