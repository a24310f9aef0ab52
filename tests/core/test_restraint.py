"""What is learnt of an instance while nothing may be done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.core import reconcile
from cyme.core.restraint import withheld
from cyme.core.status import InstanceState
from cyme.core.supervision import Memory, Sight, Signal, Start, Sweep, Wish
from cyme.core.workers import Look
from tests.core.walk import (
    ALIVE,
    KILLED,
    LONG_UP,
    OK,
    PAUSED,
    PROCESS,
    REMOVED,
    UNWANTED,
    WISH,
    Walk,
    running,
    sees,
)

WHY = "this branch was away"


def held(sight: Sight | None = None) -> Sight:
    sight = sight if sight is not None else Sight(look=None, broker_since=LONG_UP)
    return replace(sight, restraint=WHY)


def test_nothing_is_started_and_the_reason_is_told() -> None:
    walk = Walk()
    assert walk.see(held()) == ()
    assert walk.state is InstanceState.PENDING
    assert WHY in walk.memory.reason
    assert walk.see() == (Start(),)
    assert WHY not in walk.last.notes[0].reason, "it is not why it is started"


def test_what_is_not_to_run_waits_for_nothing() -> None:
    walk = Walk(UNWANTED)
    walk.see(held())
    assert WHY not in walk.memory.reason


def test_what_is_given_up_stays_given_up() -> None:
    disabled = Memory(state=InstanceState.DISABLED, reason="it failed")
    walk = Walk(memory=disabled)
    walk.see(held())
    assert walk.memory == disabled


@pytest.mark.parametrize("wish", [UNWANTED, REMOVED, replace(WISH, digest="d2")])
def test_nothing_is_stopped(wish: Wish) -> None:
    walk = running()
    walk.wish = wish
    assert walk.see(held(sees())) == ()
    assert walk.state is InstanceState.RUNNING
    assert walk.see(sees()) == (Signal("TERM"),)


def test_nothing_is_told_to_a_worker() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": ""}, limits=(2, 3))
    assert walk.see(held(sees(report=OK, asked_at=walk.now + 1))) == ()
    assert len(walk.see(sees())) == 2


def test_an_answer_is_taken_in() -> None:
    walk = Walk(memory=reconcile.adopted(PROCESS, WISH, 0.0))
    walk.see(held(sees(report=OK, asked_at=1.0)), at=1.0)
    assert walk.memory.answered_since == 1.0
    assert walk.kinds == ["instance.answers"]


@pytest.mark.parametrize("look", [KILLED, None])
def test_a_process_that_is_gone_is_shown_and_dealt_with_later(look: Look | None) -> None:
    walk = running()
    assert walk.see(held(sees(look))) == ()
    assert walk.state is InstanceState.UNKNOWN
    assert WHY in walk.memory.reason
    since = walk.memory.since
    walk.see(held(sees(look)), at=walk.now + 5)
    assert walk.memory.since == since
    assert walk.see(sees(look)) == (Sweep(),)
    assert walk.memory.record.failures == 1


def test_how_far_a_worker_had_come_is_not_forgotten_when_its_process_goes() -> None:
    walk = Walk()
    walk.see()
    walk.started()
    walk.see(held(sees(KILLED)))
    walk.see(sees(KILLED))
    assert "before it answered" in walk.memory.reason


def test_a_stop_under_way_waits() -> None:
    walk = running()
    walk.wish = UNWANTED
    walk.see(sees())
    assert walk.see(held(sees()), at=walk.now + 1000) == ()
    walk.see(held(sees(KILLED)))
    states = [walk.state]
    walk.see(sees(KILLED))
    states.append(walk.state)
    assert states == [InstanceState.STOPPING, InstanceState.STOPPED]


def test_an_outage_is_shown() -> None:
    walk = running()
    walk.see(held(sees(broker_up=False)))
    assert walk.state is InstanceState.UNKNOWN
    assert "broker" in walk.memory.reason


def test_silence_is_forgiven() -> None:
    walk = running()
    for _ in range(30):
        walk.see(sees(PAUSED, asked_at=walk.now), at=walk.now + 1)
    walk.see(held(sees(PAUSED, asked_at=walk.now)), at=walk.now + 1000)
    assert (walk.memory.silent_since, walk.memory.missed) == (None, 0)
    assert walk.see(sees(PAUSED, asked_at=walk.now)) == ()


def test_a_start_is_given_its_time_again_once_that_is_over() -> None:
    walk = Walk()
    walk.see(at=0)
    walk.started()
    walk.see(held(sees()), at=20)
    assert walk.memory.since == 0
    walk.see(held(sees()), at=100)
    assert walk.see(sees(), at=129) == ()
    assert walk.see(sees(), at=130) == (Signal("TERM"),)


# --- what was decided and not done ---------------------------------------------------------------


def test_a_decision_that_was_not_carried_out_leaves_no_trace() -> None:
    walk = running()
    before = walk.memory
    walk.wish = replace(WISH, restarts_asked=1)
    walk.see(sees())
    assert withheld(before, walk.memory) == before


def test_what_was_learnt_by_remote_control_in_between_stays() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": "v1"})
    walk.see(sees())
    before = walk.memory
    walk.wish = replace(walk.wish, digest="d2")
    walk.see(sees())
    refused = reconcile.queue_refused(walk.wish, walk.memory, "a", "no such type").memory
    after = withheld(before, reconcile.unsure(refused, 200.0))
    assert (after.commanding, after.commanded_at, after.queues) == (False, 200.0, None)
    assert after.quarantined == {"a": "v1"}
    assert after.state is InstanceState.RUNNING


# --- properties ----------------------------------------------------------------------------------

looks = st.sampled_from([ALIVE, PAUSED, KILLED, None])
wishes = st.sampled_from([WISH, UNWANTED, REMOVED, replace(WISH, digest="d2")])
steps = st.lists(
    st.tuples(wishes, looks, st.booleans(), st.booleans(), st.booleans(), st.floats(0.1, 100)),
    max_size=30,
)


@settings(max_examples=50)
@given(steps)
def test_whatever_happens_nothing_is_done_while_nothing_may_be(
    happenings: list[tuple[Wish, Look | None, bool, bool, bool, float]],
) -> None:
    walk = Walk()
    for wish, look, may_act, up, answers, wait_s in happenings:
        walk.wish = wish
        sight = sees(
            look if walk.memory.process is not None else None,
            broker_up=up,
            report=OK if answers and up else None,
            asked_at=walk.now,
        )
        starts, process = walk.memory.starts, walk.memory.process
        actions = walk.see(sight if may_act else held(sight), at=walk.now + wait_s)
        if not may_act:
            assert actions == ()
            assert (walk.memory.starts, walk.memory.process) == (starts, process)
        if Start() in actions:
            walk.started()
