from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyme.core import task_ledger, task_recents, unplaced_events
from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent
from cyme.core.task_ledger import OTHER, RUNTIME_BUCKETS_S, UNKNOWN, TaskLedger
from cyme.core.unplaced_events import WAIT_S

NOW = 1_000_000.0


def told(deed: TaskDeed, uuid: str = "u", at: float = NOW, **more: Any) -> TaskEvent:
    return TaskEvent(deed, uuid, more.pop("node", "w1@b1"), at, **more)


def entered(*events: TaskEvent | WorkerEvent, now: float = NOW) -> TaskLedger:
    ledger = TaskLedger()
    for event in events:
        ledger.take(event, now)
    return ledger


def settled(ledger: TaskLedger, now: float = NOW) -> TaskLedger:
    """A ledger whose tasks are not waited for any more, that nobody told the queue of."""
    ledger.take(WorkerEvent("w1@b1", now, True), now + WAIT_S)
    return ledger


def counts(ledger: TaskLedger) -> dict[tuple[str, ...], int]:
    return {
        (each.name, each.worker, each.queue, each.deed, each.exception): each.count
        for each in ledger.counts()
    }


def test_what_became_of_tasks_is_counted_by_name_worker_and_queue() -> None:
    ledger = entered(
        told(TaskDeed.SENT, node="cyme@b1", name="add", queue="q"),
        told(TaskDeed.RECEIVED, at=NOW + 1, name="add"),
        told(TaskDeed.SUCCEEDED, at=NOW + 2, runtime_s=0.03),
        told(TaskDeed.FAILED, "v", exception="proj.Odd('x')"),
    )
    assert counts(settled(ledger)) == {
        ("add", "cyme@b1", "q", "sent", ""): 1,
        ("add", "w1@b1", "q", "received", ""): 1,
        ("add", "w1@b1", "q", "succeeded", ""): 1,
        (UNKNOWN, "w1@b1", "", "failed", "proj.Odd"): 1,
    }
    assert ledger.totals(NOW).events == 5


def test_a_worker_that_tells_of_a_task_before_its_sender_does_is_counted_with_its_queue() -> None:
    ledger = entered(
        told(TaskDeed.RECEIVED, at=NOW + 1, name="add"),
        told(TaskDeed.SUCCEEDED, at=NOW + 2, runtime_s=0.03),
    )
    assert counts(ledger) == {}
    assert ledger.unplaced() == {"w1@b1": 1}
    ledger.take(told(TaskDeed.SENT, node="cyme@b1", name="add", queue="q"), NOW + 0.9)
    assert counts(settled(ledger, NOW + 9)) == {
        ("add", "cyme@b1", "q", "sent", ""): 1,
        ("add", "w1@b1", "q", "received", ""): 1,
        ("add", "w1@b1", "q", "succeeded", ""): 1,
    }
    (row,) = ledger.runtimes()
    assert row.queue == "q"


@pytest.mark.parametrize("later_s", [WAIT_S, -5.0], ids=["later", "by a clock set back"])
def test_the_queue_of_a_task_is_not_waited_for_for_ever(later_s: float) -> None:
    ledger = entered(told(TaskDeed.RECEIVED, "a", name="add"))
    ledger.take(told(TaskDeed.RECEIVED, "b", name="add", queue="q"), NOW + 0.5)
    assert [row.queue for row in ledger.counts()] == ["q"]
    ledger.take(told(TaskDeed.STARTED, "b", name="add"), NOW + later_s)
    ledger.take(told(TaskDeed.SENT, "a", node="s", name="add", queue="q"), NOW + later_s)
    assert counts(ledger) == {
        ("add", "w1@b1", "q", "received", ""): 1,
        ("add", "w1@b1", "", "received", ""): 1,
        ("add", "w1@b1", "q", "started", ""): 1,
        ("add", "s", "q", "sent", ""): 1,
    }


def test_processes_that_send_are_counted_by_their_host() -> None:
    nodes = ("gen17@web", "gen18@web", "gen@web", "genie@web", "gen19", "w1@b1")
    ledger = entered(
        *(told(TaskDeed.SENT, node, node=node, name="add", queue="q") for node in nodes)
    )
    assert {row.worker: row.count for row in ledger.counts()} == (
        {"web": 2, "gen@web": 1, "genie@web": 1, "gen19": 1, "w1@b1": 1}
    )
    (row,) = settled(entered(told(TaskDeed.STARTED, node="gen17@web"))).counts()
    assert row.worker == "gen17@web", "it is a worker of that name"


def test_an_event_that_comes_twice_counts_once() -> None:
    event = told(TaskDeed.SUCCEEDED)
    assert list(counts(settled(entered(event, event))).values()) == [1]


def test_runtimes_are_counted_by_how_long_they_were_at_most() -> None:
    runtimes = [0.004, 0.005, 0.0051, 9.9, 1e6]
    ledger = entered(
        *(
            told(TaskDeed.SUCCEEDED, f"u{number}", name="add", runtime_s=runtime)
            for number, runtime in enumerate(runtimes)
        )
    )
    (row,) = settled(ledger).runtimes()
    assert (row.name, row.queue) == ("add", "")
    assert row.sum_s == pytest.approx(sum(runtimes))
    assert dict(zip(RUNTIME_BUCKETS_S, row.up_to, strict=True)) | {
        0.005: 2,
        0.01: 3,
        7.5: 3,
        10.0: 4,
        float("inf"): 5,
    } == dict(zip(RUNTIME_BUCKETS_S, row.up_to, strict=True))


# --- workers -------------------------------------------------------------------------------------


def worker(ledger: TaskLedger, now: float = NOW) -> tuple[bool, int]:
    (seen,) = ledger.workers(now)
    assert seen.node == "w1@b1"
    return seen.is_up, seen.active


def test_a_worker_is_up_until_it_was_silent_for_some_periods() -> None:
    ledger = entered(WorkerEvent("w1@b1", NOW, True, active=3, period_s=10.0))
    assert worker(ledger, NOW + 30) == (True, 3)
    assert worker(ledger, NOW + 40) == (False, 3)


def test_a_worker_that_takes_its_leave_is_down_and_works_on_nothing() -> None:
    ledger = entered(
        WorkerEvent("w1@b1", NOW, True, active=3), WorkerEvent("w1@b1", NOW, False, active=3)
    )
    assert worker(ledger) == (False, 0)


def test_tasks_that_begin_and_end_are_counted_until_the_worker_tells_itself() -> None:
    ledger = entered(told(TaskDeed.STARTED, "a"), told(TaskDeed.STARTED, "b"))
    assert worker(ledger) == (True, 2)
    ledger.take(told(TaskDeed.FAILED, "a", NOW + 1), NOW)
    assert worker(ledger) == (True, 1)
    ledger.take(WorkerEvent("w1@b1", NOW, True), NOW)
    assert worker(ledger) == (True, 1)
    ledger.take(WorkerEvent("w1@b1", NOW, True, active=-5), NOW)
    assert worker(ledger) == (True, 0)
    ledger.take(told(TaskDeed.REVOKED, "b", NOW + 1), NOW)
    assert worker(ledger) == (True, 0)


def test_the_end_of_a_task_whose_worker_is_forgotten_harms_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_ledger, "WORKERS_MAX", 1)
    ledger = entered(told(TaskDeed.STARTED, "a"), told(TaskDeed.FAILED, "a", NOW + 1, node="w2@b1"))
    assert [(each.node, each.active) for each in ledger.workers(NOW)] == [("w2@b1", 0)]


def test_a_worker_that_was_silent_for_an_hour_is_forgotten_with_its_counts() -> None:
    ledger = entered(
        told(TaskDeed.SUCCEEDED, "a", name="old", runtime_s=1.0),
        told(TaskDeed.FAILED, "b", name="old", exception="ValueError()"),
    )
    ledger.take(told(TaskDeed.SUCCEEDED, "c", node="w2@b1", name="new", queue="q"), NOW + 3000)
    ledger.forget(NOW + 3000)
    assert len(ledger.counts()) == 3
    ledger.forget(NOW + 4000)
    assert list(counts(ledger)) == [("new", "w2@b1", "q", "succeeded", "")]
    assert [each.node for each in ledger.workers(NOW + 4000)] == ["w2@b1"]


# --- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bound", "kind"),
    [("NAMES_MAX", "name"), ("QUEUES_MAX", "queue"), ("WORKERS_MAX", "worker")],
)
def test_what_users_choose_is_counted_by_itself_up_to_a_bound(
    bound: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_ledger, bound, 3)
    field = {"worker": "node"}.get(kind, kind)
    several: list[dict[str, Any]] = [{field: f"x{number}"} for number in range(9)]
    ledger = entered(
        *(told(TaskDeed.FAILED, f"u{number}", **more) for number, more in enumerate(several))
    )
    rows = {getattr(each, kind): each.count for each in settled(ledger).counts()}
    assert rows == {"x0": 1, "x1": 1, "x2": 1, OTHER: 6}


def test_exceptions_are_counted_by_their_class_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_ledger, "EXCEPTIONS_MAX", 2)
    ledger = entered(
        *(told(TaskDeed.FAILED, f"u{number}", exception=f"E{number}()") for number in range(5))
    )
    rows = {each.exception: each.count for each in settled(ledger).counts()}
    assert rows == {"E0": 1, "E1": 1, OTHER: 3}


def test_there_are_no_more_counters_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_ledger, "ROWS_MAX", 4)
    monkeypatch.setattr(task_ledger, "RUNTIME_ROWS_MAX", 2)
    ledger = TaskLedger()
    for number in range(100):
        deed = TaskDeed.FAILED if number % 2 else TaskDeed.SUCCEEDED
        name = f"n{number}"
        ledger.take(told(deed, name, name=name, exception="E()", runtime_s=1.0), NOW)
    assert len(settled(ledger).counts()) == 6
    assert len(ledger.runtimes()) == 3
    assert sum(each.count for each in ledger.counts()) == 100
    assert (OTHER, OTHER, OTHER, "failed", OTHER) in counts(ledger)


def test_no_more_tasks_wait_for_their_queues_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unplaced_events, "TASKS_MAX", 3)
    ledger = entered(*(told(TaskDeed.RECEIVED, f"u{number}", name="add") for number in range(10)))
    assert counts(ledger) == {("add", "w1@b1", "", "received", ""): 6}


nodes = st.sampled_from(["w1@b1", "w2@b1", "w3@b2", ""])
events = st.one_of(
    st.builds(
        TaskEvent,
        st.sampled_from(TaskDeed),
        st.sampled_from([f"u{number}" for number in range(6)]),
        nodes,
        st.floats(NOW - 100, NOW + 100),
        name=st.sampled_from(["", "a", "b", "c", "d"]),
        queue=st.sampled_from(["", "p", "q", "r"]),
        runtime_s=st.none() | st.floats(0, 1e9),
        exception=st.sampled_from(["", "A()", "B()", "C('?')", "{}"]),
        retries=st.none() | st.integers(0, 5),
    ),
    st.builds(
        WorkerEvent,
        nodes,
        st.floats(NOW - 100, NOW + 100),
        st.booleans(),
        st.none() | st.integers(-3, 100),
        st.none() | st.floats(0, 100),
    ),
)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(events, st.floats(-5000, 5000), st.integers(1, 2)), max_size=60),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_in_whatever_order_nothing_is_negative_and_all_is_bounded(
    told_at: list[tuple[TaskEvent | WorkerEvent, float, int]], chance: Any
) -> None:
    came = [(event, NOW + when) for event, when, times in told_at for _ in range(times)]
    chance.shuffle(came)
    with pytest.MonkeyPatch.context() as patched:
        for bound in ("NAMES_MAX", "QUEUES_MAX", "EXCEPTIONS_MAX", "WORKERS_MAX"):
            patched.setattr(task_ledger, bound, 2)
        patched.setattr(task_ledger, "ROWS_MAX", 8)
        patched.setattr(unplaced_events, "TASKS_MAX", 3)
        ledger = TaskLedger()
        ledger.recents = task_recents.RecentTasks(open_max=3, ended_max=2)
        for event, now in came:
            ledger.take(event, now)
            assert all(each.active >= 0 for each in ledger.workers(now))
            assert len(ledger.workers(now)) <= 2
            assert len(ledger.recents) <= 5
            if chance.random() < 0.1:
                ledger.forget(now)
    settled(ledger, NOW + 9000)
    deeds = sum(isinstance(event, TaskEvent) for event, _ in came)
    assert len(ledger.counts()) <= 8 + 2 * len(TaskDeed)
    assert all(each.count > 0 for each in ledger.counts())
    assert sum(each.count for each in ledger.counts()) <= deeds
    totals = ledger.totals(NOW)
    assert min(totals.succeeded, totals.failed, totals.retried, totals.rate) >= 0
    assert totals.events == len(came) + 1
    for row in ledger.runtimes():
        assert list(row.up_to) == sorted(row.up_to)
        assert row.up_to[-1] > 0
