"""When a worker is started, and what is done when it dies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core import reconcile
from cyme.core.status import InstanceState
from cyme.core.supervision import Note, Sight, Signal, Start, Sweep
from cyme.core.workers import Look, ProcessState
from tests.core.walk import KILLED, POLICY, REMOVED, UNWANTED, WISH, Walk, running, sees

# --- starting ----------------------------------------------------------------------------------


def test_starts_what_should_run() -> None:
    walk = Walk()
    assert walk.see() == (Start(),)
    assert walk.state is InstanceState.STARTING
    assert walk.kinds == ["instance.starting"]


def test_does_not_start_twice_while_the_process_is_being_made() -> None:
    walk = Walk()
    walk.see()
    assert walk.see() == ()
    walk.wish = REMOVED
    assert walk.see() == ()


def test_runs_once_it_answers() -> None:
    walk = running()
    assert walk.kinds == ["instance.started"]
    assert walk.memory.restarts == 0


def test_waits_for_a_free_start_slot_and_says_so() -> None:
    walk = Walk()
    assert walk.see(Sight(may_start=False, starts_under_way=4)) == ()
    assert walk.state is InstanceState.PENDING
    assert "4 others are starting" in walk.memory.reason
    assert walk.see() == (Start(),)


def test_a_start_that_had_to_wait_is_told_with_its_cause() -> None:
    walk = Walk()
    walk.see(Sight(broker_up=False))
    walk.see(Sight(may_start=False, starts_under_way=4))
    walk.see()
    assert walk.last.notes == (Note("instance.starting", "it has not been started yet"),)
    walk.started()
    walk.see(sees(KILLED))
    walk.see(Sight(broker_up=False))
    assert "broker" in walk.memory.reason
    walk.see()
    assert "signal 9" in walk.last.notes[0].reason


def test_what_waited_and_was_stopped_is_started_for_a_new_cause() -> None:
    walk = Walk()
    walk.see(Sight(broker_up=False))
    walk.wish = UNWANTED
    walk.see()
    walk.wish = WISH
    walk.see(Sight(broker_up=False))
    walk.see()
    assert walk.last.notes == (Note("instance.starting", "it is to run again"),)


def test_a_restart_that_was_asked_for_while_it_waited_is_the_cause() -> None:
    walk = Walk()
    walk.see(Sight(broker_up=False))
    walk.wish = replace(WISH, restarts_asked=1)
    walk.see(Sight(broker_up=False))
    walk.see()
    assert walk.last.notes == (Note("instance.starting", "a restart was asked for"),)


@pytest.mark.parametrize("broker_up", [False, None])
def test_starts_nothing_while_the_broker_is_away(broker_up: bool | None) -> None:
    walk = Walk()
    assert walk.see(Sight(broker_up=broker_up)) == ()
    assert walk.state is InstanceState.PENDING
    assert "broker" in walk.memory.reason


def test_a_start_that_makes_no_process_is_a_failure() -> None:
    walk = Walk()
    walk.see()
    decision = reconcile.not_started(
        WISH, walk.memory, "no such interpreter", POLICY, name="w", now=0.0
    )
    assert decision.memory.state is InstanceState.PENDING
    assert "no such interpreter" in decision.memory.reason
    assert decision.memory.record.failures == 1


def test_a_worker_that_never_answers_is_stopped_after_its_deadline() -> None:
    walk = Walk()
    walk.see(at=0)
    walk.started()
    assert walk.see(sees(), at=29) == ()
    assert walk.see(sees(), at=30) == (Signal("TERM"),)
    assert walk.state is InstanceState.STOPPING
    assert "did not answer remote control within 30 s" in walk.memory.reason
    assert "ImportError" in walk.memory.reason


def test_the_start_deadline_says_nothing_of_a_log_that_is_empty() -> None:
    walk = Walk()
    walk.see(at=0)
    walk.started()
    walk.see(replace(sees(), last_words=""), at=30)
    assert walk.memory.reason == "it did not answer remote control within 30 s of its start"


def test_the_start_deadline_grows_with_the_starts_under_way() -> None:
    walk = Walk()
    walk.see(at=0)
    walk.started()
    assert walk.see(sees(starting=4), at=49) == ()
    assert walk.see(sees(starting=4), at=50) == (Signal("TERM"),)


def test_a_start_is_given_its_time_again_after_the_broker_was_away() -> None:
    walk = Walk()
    walk.see(at=0)
    walk.started()
    walk.see(sees(broker_up=False), at=25)
    assert walk.see(sees(), at=40) == ()
    assert walk.state is InstanceState.STARTING
    assert walk.see(sees(), at=55) == (Signal("TERM"),)


# --- dying -------------------------------------------------------------------------------------


def test_restarts_a_killed_worker_at_once_after_sweeping() -> None:
    walk = running()
    assert walk.see(sees(KILLED)) == (Sweep(),)
    assert walk.state is InstanceState.PENDING
    assert walk.kinds == ["instance.failed"]
    assert "signal 9" in walk.memory.reason
    assert walk.see() == (Start(),)
    assert walk.kinds == ["instance.restarting"]
    walk.started()
    assert walk.memory.restarts == 1


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look(state=ProcessState.GONE, exit_status=0), "exit code 0"),
        (Look(state=ProcessState.GONE), "its process is gone"),
        (None, "its process is gone"),
    ],
)
def test_says_how_a_worker_ended(look: Look | None, words: str) -> None:
    walk = running()
    walk.see(sees(look))
    assert words in walk.memory.reason


def test_says_what_a_worker_said_last_when_it_died_before_it_answered() -> None:
    walk = Walk()
    walk.see()
    walk.started()
    walk.see(sees(Look(state=ProcessState.GONE, exit_status=1)))
    assert "exit code 1 before it answered (ImportError" in walk.memory.reason


def test_says_no_more_when_a_worker_died_without_a_word() -> None:
    walk = Walk()
    walk.see()
    walk.started()
    walk.see(replace(sees(Look(state=ProcessState.GONE, exit_status=1)), last_words=""))
    assert walk.memory.reason == "its process ended with exit code 1 before it answered"


def kill_until_disabled(walk: Walk) -> None:
    for _ in range(4):
        walk.see(sees(KILLED))
        if walk.state is InstanceState.DISABLED:
            return
        walk.see(at=walk.now + 100)
        walk.started()
    raise AssertionError("it was never disabled")


def test_backs_off_when_it_fails_again() -> None:
    walk = running()
    walk.see(sees(KILLED))
    walk.see()
    walk.started()
    walk.see(sees(KILLED))
    assert walk.state is InstanceState.BACKOFF
    assert walk.see(at=walk.now + 4.9) == ()
    assert walk.see(at=walk.now + 0.2) == (Start(),)


def test_gives_up_with_the_reason_when_the_budget_is_used_up() -> None:
    walk = running()
    kill_until_disabled(walk)
    assert walk.kinds == ["instance.disabled"]
    assert "signal 9" in walk.memory.reason
    assert "ask for a restart" in walk.memory.reason
    assert walk.see(at=walk.now + 10_000) == ()


def test_a_restart_that_is_asked_for_pardons() -> None:
    walk = running()
    kill_until_disabled(walk)
    walk.wish = replace(WISH, restarts_asked=1)
    assert walk.see() == (Start(),)
    assert walk.memory.record.failures == 0


def test_a_change_of_its_settings_pardons() -> None:
    walk = running()
    kill_until_disabled(walk)
    walk.wish = replace(WISH, digest="d2")
    assert walk.see() == (Start(),)
