"""Every rule is broken by some node: a simulator that never finds anything proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cyme.core.branches import BranchState
from cyme.core.cluster.effects import Effect, Examine, Link, Perform, Publish, Settle, Write
from cyme.core.cluster.members import Statement
from cyme.core.cluster.membership import Change
from cyme.core.cluster.messages import Beat, Call, Message
from cyme.core.cluster.node import Node
from cyme.core.cluster.ownership import Verdict
from cyme.core.model import AppName, BranchId, Instance, InstanceName, Stamp, WorkerSpec
from cyme.testing.simulation import Violation, Weather, simulate, split
from cyme.testing.simulation.orphans import bound_s
from cyme.testing.simulation.quiescence import unrest
from tests.simulation.clusters import APP, formed, record, runs, with_instances


class FailsAtACall(Node):
    def on_performed(self, now: float, call: str, *, ok: bool, value: bytes) -> list[Effect]:
        raise ZeroDivisionError("a fault of the node")


class Slanders(Node):
    """Raises the incarnation of others."""

    def _take_statement(self, now: float, word: Statement, *, rumoured: bool = False) -> Change:
        if word.state is BranchState.SUSPECT:
            word = replace(word, incarnation=word.incarnation + 1)
        return super()._take_statement(now, word, rumoured=rumoured)


class TellsBeforeItIsWritten(Node):
    def on_examined(
        self, now: float, instance: Instance, verdict: Verdict, why: str = ""
    ) -> list[Effect]:
        effects = super().on_examined(now, instance, verdict, why)
        for effect in effects:
            if isinstance(effect, Write):
                self._outbox.tell(effect.instance)
        return [*effects, *self._done(now)]


class LeapsAhead(Node):
    def on_examined(
        self, now: float, instance: Instance, verdict: Verdict, why: str = ""
    ) -> list[Effect]:
        effects = super().on_examined(now, instance, verdict, why)
        return [
            Write(replace(effect.instance, epoch=effect.instance.epoch + 1))
            if isinstance(effect, Write)
            else effect
            for effect in effects
        ]


class ActsBehindItsFence(Node):
    def on_tick(self, now: float) -> list[Effect]:
        effects = super().on_tick(now)
        if self.fenced:
            orphan = Instance(
                name=InstanceName("w1"),
                app=AppName("shop"),
                home=BranchId("b1"),
                owner=BranchId("b1"),
                spec=WorkerSpec(),
            )
            effects.append(Examine(orphan))
        return effects


class ClaimsNothing(Node):
    def on_tick(self, now: float) -> list[Effect]:
        return [effect for effect in super().on_tick(now) if not isinstance(effect, Examine)]


class TakesUnprepared(Node):
    def take(self, now: float, instance: Instance) -> list[Effect]:
        mine = BranchId(self.me)
        return [Write(replace(instance, owner=mine, home=mine, epoch=instance.epoch + 1))]


class KeepsNothing(Node):
    def keeps(self, instance: str) -> bool:
        return False


class ComparesNothing(Node):
    def _begin_compare(self, *arguments: Any) -> None:
        pass


class PerformsTwice(Node):
    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        effects = super().on_message(now, link, message)
        if isinstance(message, Call):
            effects += [effect for effect in effects if isinstance(effect, Perform)]
        return effects


class SettlesNothing(Node):
    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        return without_ends(super().on_message(now, link, message))

    def on_tick(self, now: float) -> list[Effect]:
        return without_ends(super().on_tick(now))


class SettlesTwice(Node):
    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        effects = super().on_message(now, link, message)
        return effects + [effect for effect in effects if isinstance(effect, Settle)]


class Floods(Node):
    def on_tick(self, now: float) -> list[Effect]:
        effects = super().on_tick(now)
        beats = [e for e in effects if isinstance(e, Publish) and isinstance(e.message, Beat)]
        return effects + beats * 1000


def without_ends(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, Settle)]


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        (FailsAtACall, "nothing raises"),
        (Slanders, "only the subject raises its incarnation"),
        (TellsBeforeItIsWritten, "nothing is told before it is durable"),
        (LeapsAhead, "a claim is one step"),
        (ActsBehindItsFence, "a fenced branch does nothing"),
        (TakesUnprepared, "a hand-over is prepared"),
        (KeepsNothing, "no heal stops a home"),
        (ComparesNothing, "everything settles"),
        (PerformsTwice, "a call has one effect"),
        (SettlesNothing, "every call is settled in time"),
        (SettlesTwice, "a call is settled once"),
        (Floods, "nobody floods"),
    ],
)
def test_a_node_that_breaks_a_rule_is_caught(node: type[Node], rule: str) -> None:
    found = set()
    for seed in range(60):
        violation = simulate(seed, node=node).violation
        if violation is not None and violation.rule == rule:
            return
        found.add(violation and violation.rule)
    raise AssertionError(f"{node.__name__} breaks {found} only")


def test_an_instance_that_nobody_claims_is_caught() -> None:
    world = with_instances(formed(3, node=ClaimsNothing), "b2")
    world.power_off("b2")
    bound = bound_s(world.policy, 3)
    assert bound is not None
    world.run(bound - 5.0)
    with pytest.raises(Violation, match="every instance is claimed: nobody has run w1"):
        world.run(10.0)


def test_a_record_that_falls_back_is_caught() -> None:
    world = with_instances(formed(2), "b1")
    machine, after = world.machines["b1"], record(world, "w1")
    for before in (
        replace(after, epoch=2),
        replace(after, generation=2),
        replace(after, deleted=True),
        replace(after, stamp=Stamp(2**50, 0, "b1")),
    ):
        with pytest.raises(Violation, match="no record falls back"):
            world.watch.applied(machine, before, after)


def test_an_epoch_that_leaps_is_caught() -> None:
    world = with_instances(formed(2), "b1")
    known = record(world, "w1")
    with pytest.raises(Violation, match="epochs grow by one"):
        world.watch.applied(world.machines["b1"], known, replace(known, epoch=3))


def test_a_hand_over_through_zero_workers_is_caught() -> None:
    world = with_instances(formed(3), "b2")
    world.run(70.0)
    given = replace(record(world, "w1"), owner=BranchId("b3"), home=BranchId("b3"), epoch=2)
    world.machines["b2"].disk.merge(given)
    with pytest.raises(Violation, match="no hand-over passes zero workers"):
        world.run(2.0)


def test_an_acknowledged_write_that_is_lost_is_caught() -> None:
    world = with_instances(formed(2), "b1")
    assert unrest(world) == []
    for machine in world.machines.values():
        del machine.disk.records[APP]
    assert any("was acknowledged" in found for found in unrest(world))


def test_a_second_worker_is_caught() -> None:
    world = with_instances(formed(2), "b1")
    world.broker.start("w1", "b2", "b2")
    assert any("is to have one worker" in found for found in unrest(world))


def test_a_home_that_has_not_got_what_is_its_own_is_caught() -> None:
    world = with_instances(formed(2), "b1")
    away = replace(record(world, "w1"), owner=BranchId("b2"), epoch=2)
    for machine in world.machines.values():
        machine.disk.merge(away)
    assert any("its home b1 is there" in found for found in unrest(world))


def test_a_member_that_is_not_held_to_be_what_it_is_is_caught() -> None:
    world = formed(3)
    world.crash("b2")
    assert any("holds b2 to be alive, which is gone" in found for found in unrest(world))
    world.network.walls.append(split(["b1"], ["b3"]))
    world.run(60.0)
    assert any("holds b3 to be failed, which is alive" in found for found in unrest(world))


def test_without_faults_no_worker_ever_stops() -> None:
    world = with_instances(formed(5, weather=Weather(loss=0.01)), "b2", "b4")
    workers = world.broker.workers()
    world.run(300.0)
    assert world.broker.workers() == workers
    assert runs(world, "w1") == ["b2"]
    assert world.watch.figures.writes == 0
