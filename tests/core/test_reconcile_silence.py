"""What a worker's silence means, and what an outage of its broker does not mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cyme.core import reconcile
from cyme.core.status import InstanceState
from cyme.core.supervision import Action, Signal, Start, Sweep
from cyme.core.workers import Look
from tests.core.walk import ALIVE, KILLED, OK, PAUSED, PROCESS, WISH, Walk, running, sees

# --- silence -----------------------------------------------------------------------------------


def silent(walk: Walk, look: Look, *, until_s: float, step_s: float = 10.0) -> Sequence[Action]:
    """Ask in vain every ten seconds until something is done or the time is over."""
    begin = walk.now
    while walk.now < begin + until_s:
        walk.now += step_s
        actions = walk.see(sees(look, asked_at=walk.now - 1))
        if actions:
            return actions
    return ()


def test_one_missed_answer_changes_nothing() -> None:
    walk = running()
    assert walk.see(sees(asked_at=walk.now), at=walk.now + 10) == ()
    assert walk.state is InstanceState.RUNNING


def test_several_missed_answers_are_shown_and_forgotten_when_it_answers() -> None:
    walk = running()
    silent(walk, ALIVE, until_s=30)
    shown = walk.state
    walk.see(sees(report=OK, asked_at=walk.now), at=walk.now + 1)
    assert [shown, walk.state] == [InstanceState.UNRESPONSIVE, InstanceState.RUNNING]
    assert walk.kinds == ["instance.answers"]


def test_a_silent_worker_that_uses_no_processor_time_is_hung() -> None:
    walk = running()
    assert silent(walk, ALIVE, until_s=200) == (Signal("TERM"),)
    assert walk.now - 100.0 == pytest.approx(70, abs=10)
    assert "idle" in walk.memory.reason
    assert walk.memory.record.failures == 1


def test_a_paused_worker_is_killed_since_it_cannot_hear_anything_else() -> None:
    walk = running()
    assert silent(walk, PAUSED, until_s=200) == (Signal("KILL"),)
    assert "paused" in walk.memory.reason


def test_a_hung_worker_that_was_stopped_is_started_again() -> None:
    walk = running()
    silent(walk, PAUSED, until_s=200)
    assert walk.see(sees(KILLED)) == (Sweep(),)
    assert walk.see() == (Start(),)


def test_a_worker_that_hangs_again_and_again_gets_pauses_and_is_given_up() -> None:
    walk = running()
    states = []
    for _ in range(4):
        silent(walk, PAUSED, until_s=200)
        walk.see(sees(KILLED))
        states.append(walk.state)
        walk.see(at=walk.now + 10)
        walk.started()
    assert states == [
        InstanceState.PENDING,
        InstanceState.BACKOFF,
        InstanceState.BACKOFF,
        InstanceState.DISABLED,
    ]


def test_too_few_questions_are_no_silence_however_long_ago_the_first_was_asked() -> None:
    walk = running()
    for _ in range(2):
        walk.now += 200
        assert walk.see(sees(PAUSED, asked_at=walk.now - 1)) == ()
        assert walk.state is InstanceState.RUNNING
    walk.now += 200
    assert walk.see(sees(PAUSED, asked_at=walk.now - 1)) == (Signal("KILL"),)


def busy(walk: Walk, *, until_s: float) -> Sequence[Action]:
    begin = walk.now
    while walk.now < begin + until_s:
        walk.now += 10
        look = replace(ALIVE, cpu_s=walk.now)
        actions = walk.see(sees(look, asked_at=walk.now - 1))
        if actions:
            return actions
    return ()


def test_busy_is_not_dead() -> None:
    walk = running()
    assert busy(walk, until_s=290) == ()


def test_busy_but_silent_for_very_long_is_believed() -> None:
    walk = running()
    assert busy(walk, until_s=400) == (Signal("TERM"),)
    assert "busy" in walk.memory.reason


def test_a_pool_that_cannot_answer_while_it_works_is_not_judged_by_silence() -> None:
    walk = running(replace(WISH, answers_when_busy=False))
    assert silent(walk, ALIVE, until_s=3600) == ()
    assert walk.state is InstanceState.UNRESPONSIVE
    assert silent(walk, PAUSED, until_s=10) == (Signal("KILL"),)


# --- outages -----------------------------------------------------------------------------------


def test_restarts_nothing_while_the_broker_is_away() -> None:
    walk = running()
    for second in range(0, 600, 10):
        assert walk.see(sees(broker_up=False), at=100.0 + second) == ()
    assert walk.state is InstanceState.UNKNOWN


def test_a_broker_that_is_not_known_yet_changes_nothing() -> None:
    walk = Walk(memory=reconcile.adopted(PROCESS, WISH, 0.0))
    walk.see(sees(broker_up=None))
    assert walk.state is InstanceState.RUNNING


def test_workers_have_time_to_come_back_after_the_broker_did() -> None:
    walk = running()
    walk.see(sees(broker_up=False), at=200)
    for second in range(0, 35, 5):
        walk.see(sees(asked_at=300.0 + second, broker_since=300.0), at=300.0 + second)
    assert walk.memory.missed == 0
    walk.see(sees(asked_at=336.0, broker_since=300.0), at=336.0)
    assert walk.memory.missed == 1
    walk.see(sees(report=OK, asked_at=340.0, broker_since=300.0), at=340.0)
    assert walk.state is InstanceState.RUNNING


def test_what_was_missed_before_an_outage_is_forgiven() -> None:
    walk = running()
    silent(walk, ALIVE, until_s=50)
    walk.see(sees(broker_up=False))
    assert walk.memory.missed == 0
    assert walk.memory.silent_since is None
