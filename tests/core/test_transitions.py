"""Every change of an instance's state is told, with a reason."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from cyme.core import reconcile
from cyme.core.restraint import withheld
from cyme.core.status import InstanceState
from cyme.core.supervision import Decision, Memory, Note, Start, Wish
from tests.core.walk import (
    ALIVE,
    KILLED,
    OK,
    PAUSED,
    POLICY,
    REMOVED,
    UNWANTED,
    WISH,
    Walk,
    running,
    sees,
)

STEPS = 4_000


def walked(seed: int) -> tuple[set[tuple[InstanceState, InstanceState]], list[str]]:
    """Walk through random happenings; return the changes of state, and those that were not told."""
    chance = random.Random(seed)
    memory, now = Memory(), 0.0
    changes: set[tuple[InstanceState, InstanceState]] = set()
    untold: list[str] = []

    def take(decision: Decision) -> None:
        nonlocal memory
        before, memory = memory, decision.memory
        if before.state is memory.state:
            return
        changes.add((before.state, memory.state))
        if not decision.notes or not decision.notes[0].reason:
            untold.append(f"{before.state} -> {memory.state}: {decision}")

    wish, answers = WISH, 0.5
    up: bool | None = True
    for _ in range(STEPS):
        now += chance.choice((0.5, 2.0, 20.0, 100.0))
        if chance.random() < 0.2:  # what is so stays so for a while
            wishes = (WISH, WISH, WISH, UNWANTED, REMOVED, replace(WISH, digest="d2"))
            wish = replace(chance.choice(wishes), restarts_asked=int(now) // 5_000)
            up = chance.choice((True, True, True, False, None))
            answers = chance.choice((0.0, 0.5))
        sight = sees(
            chance.choice((ALIVE, ALIVE, PAUSED, KILLED)) if memory.process else None,
            broker_up=up,
            report=OK if up and chance.random() < answers else None,
            asked_at=now,
        )
        if chance.random() < 0.1:
            sight = replace(sight, restraint="it waits for the others")
        before = memory
        decision = reconcile.decide(wish, memory, sight, POLICY, name="w", now=now)
        take(decision)
        if Start() in decision.actions:
            take(began(chance, wish, before, memory, now))
    return changes, untold


def began(
    chance: random.Random, wish: Wish, before: Memory, memory: Memory, now: float
) -> Decision:
    """Return what starting a worker came to."""
    match chance.choice(("started", "started", "not started", "withheld")):
        case "started":
            process = replace(running().memory.process, digest=wish.digest)  # type: ignore[type-var]
            return Decision(reconcile.started(memory, process, wish, now))  # type: ignore[arg-type]
        case "not started":
            return reconcile.not_started(wish, memory, "no room", POLICY, name="w", now=now)
        case _:
            note = Note("instance.withheld", "what was decided is left undone")
            return Decision(withheld(before, memory), notes=(note,))


@pytest.mark.parametrize("seed", range(4))
def test_every_change_of_state_is_told_with_its_reason(seed: int) -> None:
    changes, untold = walked(seed)
    assert not untold, f"seed {seed}: {untold[:3]}"
    assert {after for _, after in changes} == set(InstanceState), "the walk led everywhere"


def test_what_nothing_else_tells_is_told_by_the_name_of_the_state() -> None:
    walk = running()
    walk.see(sees(broker_up=False), at=101.0)
    assert walk.last.notes == (
        Note("instance.unknown", "its process is alive, but its broker does not answer"),
    )
    walk.see(sees(broker_up=False), at=102.0)
    assert walk.kinds == [], "nothing changed"
    waiting = Walk(UNWANTED)
    waiting.see()
    assert waiting.last.notes == (Note("instance.stopped", "it is not enabled"),)
