"""hypothesis looks for a story that breaks a rule, and tells the shortest that it finds."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cyme.testing.simulation import Weather, World, one_way, split
from tests.simulation.clusters import APP

numbers = st.integers(1, 5)
instances = st.sampled_from(["w1", "w2", "w3-pinned"])
declarations = st.sampled_from([("app", "a1"), ("queue", "shop", "q1")])


class Cluster(RuleBasedStateMachine):
    """A cluster of five, two of which start late, through whatever can happen to it."""

    @initialize(seed=st.integers(0, 2**16), loss=st.sampled_from([0.0, 0.02]), beacon=st.booleans())
    def begin(self, seed: int, loss: float, beacon: bool) -> None:
        self.world = World(seed, 5, weather=Weather(loss=loss), beacon=beacon)
        for number in (1, 2, 3):
            self.world.start(f"b{number}")
        self.world.run(5.0)
        self.world.lives()[0].service.declare(APP, "put")
        self.world.run(1.0)

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.0, 8.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(number=numbers)
    def start(self, number: int) -> None:
        self.world.power_on(f"b{number}")

    @rule(number=numbers)
    def crash(self, number: int) -> None:
        self.world.crash(f"b{number}")

    @rule(number=numbers)
    def power_off(self, number: int) -> None:
        self.world.power_off(f"b{number}")

    @rule(number=numbers, machine=st.booleans())
    def pause(self, number: int, machine: bool) -> None:
        self.world.pause(f"b{number}", machine=machine)

    @rule(number=numbers)
    def resume(self, number: int) -> None:
        self.world.resume(f"b{number}")

    @rule(number=numbers)
    def leave(self, number: int) -> None:
        self.world.leave(f"b{number}")

    @rule(number=numbers, drained=st.booleans())
    def drain(self, number: int, drained: bool) -> None:
        self.world.drain(f"b{number}", drained=drained)

    @rule(group=st.sets(numbers, min_size=1, max_size=4), broker=st.booleans())
    def split(self, group: set[int], broker: bool) -> None:
        self.world.disturb()
        names = sorted(f"b{number}" for number in group)
        rest = [name for name in self.world.machines if name not in names]
        self.world.network.walls.append(split(names, rest))
        if not broker:
            self.world.broker.cut_off.update(names)

    @rule(source=numbers, there=numbers)
    def cut(self, source: int, there: int) -> None:
        self.world.disturb()
        self.world.network.walls.append(one_way(f"b{source}", f"b{there}"))

    @precondition(lambda self: self.world.network.walls)
    @rule()
    def mend(self) -> None:
        self.world.disturb()
        self.world.network.walls.clear()
        self.world.broker.cut_off.clear()

    @rule(up=st.booleans())
    def broker(self, up: bool) -> None:
        self.world.disturb()
        self.world.broker.up = up

    @rule(number=numbers, full=st.booleans())
    def disk(self, number: int, full: bool) -> None:
        self.world.disturb()
        self.world.machines[f"b{number}"].disk.full = full

    @rule(number=numbers, key=declarations, deed=st.sampled_from(["put", "delete"]))
    def declare(self, number: int, key: tuple[str, ...], deed: str) -> None:
        life = self.world.machines[f"b{number}"].life
        if life is not None and life.acts and life.node.joined:
            life.service.declare(key, deed)

    @rule(
        number=numbers,
        name=instances,
        deed=st.sampled_from(["create", "create", "change", "disable", "enable", "delete", "move"]),
        where=numbers,
    )
    def ask(self, number: int, name: str, deed: str, where: int) -> None:
        life = self.world.machines[f"b{number}"].life
        if life is not None and life.acts and life.node.joined and not life.leaving:
            life.service.ask(name, deed, f"b{where}")

    @precondition(lambda self: len(self.world.machines) < 7)
    @rule(number=numbers, empty=st.booleans())
    def clone(self, number: int, empty: bool) -> None:
        self.world.clone(f"b{number}", empty=empty)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.heal()
            self.world.return_all()
            self.world.settle()


TestCluster = Cluster.TestCase
TestCluster.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
