"""What is done about one instance, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.core import reconcile
from cyme.core.restarts import RestartPolicy
from cyme.core.status import InstanceState
from cyme.core.supervision import (
    Action,
    AddConsumer,
    Autoscale,
    CancelConsumer,
    Decision,
    Discard,
    Memory,
    Note,
    Policy,
    Sight,
    Signal,
    Start,
    Sweep,
    Wish,
)
from cyme.core.workers import Look, Process, ProcessState, Report

POLICY = Policy(
    start_timeout_s=30,
    start_timeout_s_each=5,
    stop_timeout_s=60,
    kill_timeout_s=10,
    unresponsive_after_s=60,
    wait_after_broker_revived_s=35,
    restarts=RestartPolicy(failures_max=3, delay_s_first=5, jitter=0),
)
WISH = Wish(runs=True, digest="d1", queues={"dq.w": ""}, limits=(1, 1))
UNWANTED = replace(WISH, runs=False, why_not="it is not enabled")
REMOVED = replace(WISH, runs=False, removed=True, why_not="it was deleted")
PROCESS = Process(pid=7, started=1.0, boot_id="b", digest="d1")
ALIVE = Look(state=ProcessState.ALIVE, cpu_s=1.0, pids=(7,))
PAUSED = replace(ALIVE, state=ProcessState.PAUSED)
KILLED = Look(state=ProcessState.GONE, exit_status=-9)
OK = Report(queues=frozenset({"dq.w"}), limits=(1, 1))
LONG_UP = -1000.0


class Walk:
    """Walks one instance through decisions, keeping its memory, and remembers what was done."""

    def __init__(self, wish: Wish = WISH, memory: Memory | None = None) -> None:
        self.wish = wish
        self.memory = memory if memory is not None else Memory()
        self.now = 0.0
        self.last = Decision(self.memory)

    def see(self, sight: Sight | None = None, *, at: float | None = None) -> Sequence[Action]:
        if at is not None:
            self.now = at
        sight = sight if sight is not None else Sight(broker_since=LONG_UP)
        self.last = reconcile.decide(self.wish, self.memory, sight, POLICY, name="w", now=self.now)
        self.memory = self.last.memory
        return self.last.actions

    def started(self, process: Process = PROCESS) -> None:
        self.memory = reconcile.started(self.memory, process, self.wish, self.now)

    def commanded(self, *, at: float | None = None) -> None:
        if at is not None:
            self.now = at
        self.memory = reconcile.commanded(self.memory, self.now)

    @property
    def state(self) -> InstanceState:
        return self.memory.state

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.last.notes]


def sees(
    look: Look | None = ALIVE,
    *,
    report: Report | None = None,
    asked_at: float | None = None,
    broker_up: bool | None = True,
    broker_since: float = LONG_UP,
    starting: int = 0,
) -> Sight:
    return Sight(
        look=look,
        report=report,
        asked_at=asked_at,
        broker_up=broker_up,
        broker_since=broker_since,
        starts_under_way=starting,
        last_words="ImportError: no module named shop",
    )


def running(wish: Wish = WISH, *, at: float = 100.0) -> Walk:
    walk = Walk(wish)
    walk.see(at=at - 2)
    walk.started()
    walk.see(sees(report=OK, asked_at=at - 1), at=at)
    assert walk.state is InstanceState.RUNNING
    return walk


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


# --- stopping ----------------------------------------------------------------------------------


def test_stops_warmly_then_coldly_then_kills() -> None:
    walk = running(at=0.0)
    walk.wish = UNWANTED
    assert walk.see(sees()) == (Signal("TERM"),)
    assert walk.see(sees(), at=59) == ()
    assert walk.see(sees(), at=60) == (Signal("QUIT"),)
    assert walk.see(sees(), at=69) == ()
    assert walk.see(sees(), at=70) == (Signal("KILL"),)
    assert walk.see(sees(), at=80) == (Signal("KILL"),)
    assert walk.see(sees(KILLED), at=81) == (Sweep(),)
    assert walk.state is InstanceState.STOPPED
    assert walk.memory.reason == "it is not enabled"


def test_a_deleted_instance_is_stopped_swept_and_discarded() -> None:
    walk = running()
    walk.wish = REMOVED
    walk.see(sees())
    assert walk.see(sees(KILLED)) == (Sweep(), Discard())


def test_a_deleted_instance_without_a_process_is_swept_and_discarded() -> None:
    walk = Walk(REMOVED)
    assert walk.see() == (Sweep(), Discard())
    assert walk.state is InstanceState.STOPPED


def test_what_is_disabled_from_the_start_is_never_started() -> None:
    walk = Walk(UNWANTED)
    assert walk.see() == ()
    assert walk.state is InstanceState.STOPPED
    since = walk.memory.since
    assert walk.see(at=10) == ()
    assert walk.memory.since == since


def test_enabling_it_again_during_the_stop_starts_it_afterwards() -> None:
    walk = running()
    walk.wish = UNWANTED
    walk.see(sees())
    walk.wish = WISH
    assert walk.see(sees()) == ()
    assert walk.see(sees(KILLED)) == (Sweep(),)
    assert walk.see() == (Start(),)


def test_a_worker_that_dies_as_it_becomes_unwanted_is_not_a_failure() -> None:
    walk = running()
    walk.wish = UNWANTED
    walk.see(sees(KILLED))
    assert walk.state is InstanceState.STOPPED
    assert walk.memory.record.failures == 0


# --- changes -----------------------------------------------------------------------------------


def test_restarts_warmly_when_its_settings_change() -> None:
    walk = running()
    walk.wish = replace(WISH, digest="d2")
    assert walk.see(sees()) == (Signal("TERM"),)
    assert walk.see(sees(KILLED)) == (Sweep(),)
    assert walk.memory.record.failures == 0
    assert walk.see() == (Start(),)


def test_leaves_an_adopted_worker_of_unknown_settings_alone() -> None:
    walk = Walk(memory=reconcile.adopted(replace(PROCESS, digest=""), WISH, 0.0))
    assert walk.see(sees(report=OK, asked_at=1.0), at=1.0) == ()
    assert walk.state is InstanceState.RUNNING
    assert walk.kinds == ["instance.answers"]


def test_an_adopted_worker_counts_its_next_start_as_a_restart() -> None:
    walk = Walk(memory=reconcile.adopted(PROCESS, WISH, 0.0))
    walk.see(sees(KILLED))
    walk.see()
    walk.started()
    assert walk.memory.restarts == 1


def test_restarts_when_asked_to() -> None:
    walk = running()
    walk.wish = replace(WISH, restarts_asked=1)
    assert walk.see(sees()) == (Signal("TERM"),)
    walk.see(sees(KILLED))
    assert walk.see() == (Start(),)
    walk.started()
    assert walk.see(sees(report=OK, asked_at=walk.now)) == ()


def test_restarts_when_the_declaration_of_a_queue_it_knows_changes() -> None:
    walk = running(replace(WISH, queues={"dq.w": "", "t": "v1"}))
    walk.wish = replace(WISH, queues={"dq.w": "", "t": "v2"})
    assert walk.see(sees()) == (Signal("TERM"),)
    assert "'t'" in walk.memory.reason


# --- queues and limits -------------------------------------------------------------------------


def test_adds_missing_consumers_and_cancels_surplus_ones() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": "", "b": ""})
    report = Report(queues=frozenset({"dq.w", "old"}), limits=(1, 1))
    actions = walk.see(sees(report=report, asked_at=walk.now))
    assert actions == (AddConsumer("a"), AddConsumer("b"), CancelConsumer("old"))


def test_tells_a_worker_once_and_believes_the_next_survey() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": ""})
    assert walk.see(sees()) == (AddConsumer("a"),)
    assert walk.see(sees()) == ()
    walk.commanded()
    assert walk.see(sees(report=OK, asked_at=walk.now + 1)) == (AddConsumer("a"),)


def test_what_a_worker_said_before_it_was_told_does_not_count() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": ""})
    walk.see(sees())
    assert walk.see(sees(report=OK, asked_at=walk.now + 1)) == ()
    walk.commanded(at=walk.now + 2)
    assert walk.see(sees(report=OK, asked_at=walk.now - 1)) == ()


def test_brings_back_the_direct_queue_of_a_worker_that_lost_it() -> None:
    walk = running()
    report = Report(queues=frozenset(), limits=(1, 1))
    assert walk.see(sees(report=report, asked_at=walk.now)) == (AddConsumer("dq.w"),)


def test_what_it_consumes_from_is_not_known_after_a_doubtful_command() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "a": ""})
    walk.memory = reconcile.unsure(walk.memory, walk.now)
    assert walk.see(sees()) == ()
    assert walk.see(sees(report=OK, asked_at=walk.now)) == ()
    assert walk.see(sees(report=OK, asked_at=walk.now + 1)) == (AddConsumer("a"),)


def test_mends_the_limits() -> None:
    walk = running()
    walk.wish = replace(WISH, limits=(2, 9))
    assert walk.see(sees()) == (Autoscale(2, 9),)
    assert walk.see(sees()) == ()
    walk.commanded()
    assert walk.see(sees(report=OK, asked_at=walk.now + 1)) == (Autoscale(2, 9),)


def test_does_not_touch_limits_that_it_does_not_know() -> None:
    walk = Walk(memory=reconcile.adopted(PROCESS, WISH, 0.0))
    unknown = Report(queues=frozenset({"dq.w"}))
    assert walk.see(sees(report=unknown, asked_at=0.0)) == ()


def test_leaves_the_limits_of_a_pool_that_cannot_be_told() -> None:
    walk = running(replace(WISH, limits=None))
    assert walk.see(sees(report=OK, asked_at=walk.now)) == ()


def test_keeps_a_queue_from_a_worker_that_died_of_it() -> None:
    wish = replace(WISH, queues={"dq.w": "", "bad": "v1"})
    walk = running()
    walk.wish = wish
    assert walk.see(sees()) == (AddConsumer("bad"),)
    walk.see(sees(KILLED))
    assert "'bad'" in walk.memory.reason
    assert walk.memory.quarantined == {"bad": "v1"}
    walk.see()
    walk.started()
    assert walk.see(sees(report=OK, asked_at=walk.now)) == ()


def test_tries_a_queue_again_when_its_declaration_changed() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "bad": "v1"})
    walk.memory = reconcile.queue_refused(walk.wish, walk.memory, "bad", "no such type").memory
    assert walk.see(sees(report=OK, asked_at=walk.now)) == ()
    walk.wish = replace(WISH, queues={"dq.w": "", "bad": "v2"})
    assert walk.see(sees(report=OK, asked_at=walk.now)) == (AddConsumer("bad"),)


def test_a_refusal_of_a_queue_that_is_not_wished_any_more_is_nothing() -> None:
    walk = running()
    decision = reconcile.queue_refused(WISH, walk.memory, "gone", "no")
    assert decision.memory.quarantined == {}


def test_a_refused_queue_of_a_worker_whose_queues_are_not_known_stays_unknown() -> None:
    wish = replace(WISH, queues={"dq.w": "", "bad": "v1"})
    decision = reconcile.queue_refused(wish, Memory(), "bad", "no")
    assert decision.memory.queues is None
    assert decision.memory.quarantined == {"bad": "v1"}


def test_a_death_long_after_a_queue_was_added_is_not_blamed_on_it() -> None:
    walk = running()
    walk.wish = replace(WISH, queues={"dq.w": "", "fine": ""})
    walk.see(sees())
    walk.see(sees(KILLED), at=walk.now + 11)
    assert walk.memory.quarantined == {}


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


# --- properties --------------------------------------------------------------------------------

looks = st.sampled_from([ALIVE, PAUSED, KILLED, None, replace(ALIVE, cpu_s=5.0)])
wishes = st.sampled_from([WISH, UNWANTED, REMOVED, replace(WISH, digest="d2")])
steps = st.lists(
    st.tuples(wishes, looks, st.booleans(), st.booleans(), st.floats(0.1, 100)), max_size=30
)


@settings(max_examples=30)
@given(steps)
def test_whatever_happens_it_never_starts_a_second_worker_nor_signals_none(
    happenings: list[tuple[Wish, Look | None, bool, bool, float]],
) -> None:
    walk = Walk()
    for wish, look, up, answers, wait_s in happenings:
        walk.wish = wish
        had_process = walk.memory.process is not None
        sight = sees(
            look if had_process else None,
            broker_up=up,
            report=OK if answers and up else None,
            asked_at=walk.now,
        )
        for action in walk.see(sight, at=walk.now + wait_s):
            if isinstance(action, Start):
                assert walk.memory.process is None
                assert wish.runs
                assert up
                walk.started()
            if isinstance(action, Signal):
                assert had_process


@settings(max_examples=30)
@given(steps)
def test_the_same_happenings_lead_to_the_same_decisions(
    happenings: list[tuple[Wish, Look | None, bool, bool, float]],
) -> None:
    def walk_through() -> list[Decision]:
        walk, decisions = Walk(), []
        for wish, look, up, _, wait_s in happenings:
            walk.wish = wish
            walk.see(sees(look, broker_up=up), at=walk.now + wait_s)
            decisions.append(walk.last)
        return decisions

    assert walk_through() == walk_through()
