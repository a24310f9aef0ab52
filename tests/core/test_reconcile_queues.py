"""A worker is told of queues and limits until it says that it has them."""

from __future__ import annotations

from dataclasses import replace

from cyme.core import reconcile
from cyme.core.supervision import AddConsumer, Autoscale, CancelConsumer, Memory
from cyme.core.workers import Report
from tests.core.walk import KILLED, OK, PROCESS, WISH, Walk, running, sees


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
