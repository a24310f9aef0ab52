"""Ownership among branches that fall, part, come back and hand over in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.core.cluster.ownership_world import Branch, World

NAMES = ["b1", "b2", "b3", "b4"]
INSTANCES = ["v", "w"]

branches = st.sampled_from(NAMES)
instances = st.sampled_from(INSTANCES)
seconds = st.sampled_from([0.0, 0.5, 2.0, 10.0, 25.0])


class Cluster(RuleBasedStateMachine):
    """Two to four branches, two instances, and whatever can happen to them."""

    @initialize(
        size=st.integers(2, 4),
        latency_s=st.sampled_from([0.0, 0.5, 3.0]),
        home=branches,
        all_return=st.booleans(),
    )
    def begin(self, size: int, latency_s: float, home: str, all_return: bool) -> None:
        self.all_return = all_return
        self.world = World(NAMES[:size], latency_s)
        self.world.wait(10)
        for name in INSTANCES:
            self.world.create(name, self._branch(home))
        self.world.wait(10)

    def _branch(self, name: str) -> Branch:
        names = sorted(self.world.branches)
        return self.world.branches[names[NAMES.index(name) % len(names)]]

    @rule(seconds=seconds)
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(name=branches, other=branches, broker=st.booleans(), seconds=seconds)
    def part(self, name: str, other: str, broker: bool, seconds: float) -> None:
        apart = {self._branch(name), self._branch(other)}
        self.world.sides = {
            branch.name: int(branch in apart) for branch in self.world.branches.values()
        }
        self.world.broker_split = broker
        self.world.wait(seconds)

    @rule()
    def heal(self) -> None:
        self.world.sides = dict.fromkeys(self.world.branches, 0)
        self.world.broker_split = False
        self.world.wait(0.5)

    @rule(name=branches, workers_too=st.booleans(), seconds=seconds)
    def fall(self, name: str, workers_too: bool, seconds: float) -> None:
        self.world.fall(self._branch(name), workers_too=workers_too)
        self.world.wait(seconds)

    @rule(name=branches, seconds=seconds)
    def leave(self, name: str, seconds: float) -> None:
        if self._branch(name).up:
            self.world.leave(self._branch(name))
        self.world.wait(seconds)

    @rule(name=branches, seconds=seconds)
    def come_back(self, name: str, seconds: float) -> None:
        if not self._branch(name).up:
            self._branch(name).start()
        self.world.wait(seconds)

    @rule(name=branches, seconds=seconds)
    def stall(self, name: str, seconds: float) -> None:
        self._branch(name).raise_fence()
        self.world.wait(seconds)

    @rule(name=branches, drained=st.booleans())
    def drain(self, name: str, drained: bool) -> None:
        self._branch(name).drained = drained
        self.world.wait(0.5)

    @rule(name=branches, full=st.booleans(), seconds=seconds)
    def fill_disk(self, name: str, full: bool, seconds: float) -> None:
        branch = self._branch(name)
        branch.full_disk, branch.disk_was_full = full, full or branch.disk_was_full
        self.world.wait(seconds)

    @rule(name=branches, broken=st.booleans())
    def break_machine(self, name: str, broken: bool) -> None:
        self._branch(name).broken = broken
        self.world.was_broken = broken or self.world.was_broken

    @rule(away=st.booleans())
    def lose_broker(self, away: bool) -> None:
        self.world.broker_away = away

    @rule(name=instances, where=branches)
    def create(self, name: str, where: str) -> None:
        if self._branch(where).up and not self._branch(where).view.fenced:
            self.world.create(name, self._branch(where))

    @rule(name=instances, where=branches)
    def delete(self, name: str, where: str) -> None:
        if self._branch(where).up and not self._branch(where).view.fenced:
            self.world.delete(name, self._branch(where))

    @rule(name=instances, to=branches, seconds=seconds)
    def move(self, name: str, to: str, seconds: float) -> None:
        target = self._branch(to)
        for owner in self.world.reachable(target):
            record = owner.records.get(name)
            if record is not None and record.owner == owner.name:
                target.take(record)
                break
        self.world.wait(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self._come_to_rest()
            self._check_rest()

    def _come_to_rest(self) -> None:
        world = self.world
        self.heal()
        world.broker_away = False
        for branch in world.branches.values():
            branch.broken = branch.full_disk = False
            branch.drained = branch.drained and not self.all_return
            if self.all_return and not branch.up:
                branch.start()
        world.wait(150)

    def _check_rest(self) -> None:
        world = self.world
        up = [branch for branch in world.branches.values() if branch.up]
        for one in up:
            assert one.records == up[0].records, "all agree"
        for name, record in up[0].records.items() if up else ():
            running = {where for known, where in world.workers if known == name}
            there = {branch.name for branch in up}
            if record.deleted:
                assert not running & there
                continue
            assert running & there == {record.owner} & there, "exactly the owner runs it"
            able = {branch.name for branch in up if not branch.drained}
            if record.home in able:
                assert record.owner == record.home, "home wins"
            elif able:
                assert record.owner in running, "somebody runs it"


def test_branches_come_to_agree_whatever_happens() -> None:
    run_state_machine_as_test(Cluster, settings=settings(stateful_step_count=25))
