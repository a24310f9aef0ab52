"""Branches of the simulator rest and wake as real ones do; what it proves holds for these."""

from __future__ import annotations

from cyme.core.cluster.effects import Effect
from cyme.core.cluster.node import TICK_S, Node
from cyme.core.cluster.node.ticking import CALM_TICK_S
from tests.simulation.clusters import formed, seconds_until


class Counts(Node):
    """Counts its ticks."""

    ticks = 0

    def on_tick(self, now: float) -> list[Effect]:
        self.ticks += 1
        return super().on_tick(now)


def test_branches_in_which_nothing_is_under_way_rest() -> None:
    world = formed(3, node=Counts)
    world.run(10.0)
    nodes = [life.node for life in world.lives()]
    before = [getattr(node, "ticks", 0) for node in nodes]
    world.run(60.0)
    for node, ticks in zip(nodes, before, strict=True):
        per_s = (getattr(node, "ticks", 0) - ticks) / 60.0
        assert 1.0 / CALM_TICK_S - 1.0 < per_s < 0.5 / TICK_S


def test_news_that_wait_for_a_tick_end_the_rest() -> None:
    world = formed(3)
    world.run(10.0)
    for number in range(20):
        names = [f"a{number}", f"b{number}"]
        for name in names:  # the second, so soon after the first, waits to be told
            world.lives()[0].service.declare(("app", name), "put")
            world.run(0.03)
        seconds_until(
            world,
            most_s=CALM_TICK_S / 2,
            so=lambda names=names: all(
                ("app", name) in life.machine.disk.records
                for life in world.lives()
                for name in names
            ),
            step_s=0.01,
        )
        world.run(5.0)
