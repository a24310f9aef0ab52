"""How a worker is stopped, and when it is restarted for a change."""

from __future__ import annotations

from dataclasses import replace

from cyme.core import reconcile
from cyme.core.status import InstanceState
from cyme.core.supervision import Discard, Note, Signal, Start, Sweep
from tests.core.walk import KILLED, OK, PROCESS, REMOVED, UNWANTED, WISH, Walk, running, sees

# --- stopping ----------------------------------------------------------------------------------


def test_stops_warmly_then_coldly_then_kills() -> None:
    walk = running(at=0.0)
    walk.wish = UNWANTED
    assert walk.see(sees()) == (Signal("TERM"),)
    told = "it is not enabled; its tasks have 60 s to finish"
    assert walk.last.notes == (Note("instance.stopping", told),)
    assert walk.memory.reason == told
    assert walk.see(sees(), at=59) == ()
    assert walk.see(sees(), at=60) == (Signal("QUIT"),)
    told = "it has not ended within 60 s: QUIT, which drops the tasks that it runs"
    assert walk.last.notes == (Note("instance.stopping", told),)
    assert walk.memory.reason == told
    assert walk.see(sees(), at=69) == ()
    assert walk.see(sees(), at=70) == (Signal("KILL"),)
    assert walk.last.notes == (Note("instance.stopping", "it has not ended within 70 s: KILL"),)
    assert walk.see(sees(), at=80) == (Signal("KILL"),)
    assert walk.see(sees(KILLED), at=81) == (Sweep(),)
    assert walk.state is InstanceState.STOPPED
    assert walk.memory.reason == "it is not enabled"


def test_a_restart_says_why_at_each_of_its_steps_however_long_its_stop_took() -> None:
    walk = running(at=0.0)
    walk.wish = replace(WISH, digest="d2")
    walk.see(sees())
    why, _, rest = walk.memory.reason.rpartition("; ")
    assert rest == "its tasks have 60 s to finish"
    walk.see(sees(), at=60)
    assert walk.memory.reason.startswith("it has not ended within 60 s: QUIT")
    walk.see(sees(KILLED), at=61)
    assert walk.last.notes == (Note("instance.stopped", why),)
    assert walk.memory.reason == why
    walk.see(at=61)
    assert walk.last.notes == (Note("instance.restarting", why),)


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
