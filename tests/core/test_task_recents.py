from __future__ import annotations

import itertools

import pytest

from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.core.task_recents import RecentTasks, SeenTask

SENT = TaskEvent(TaskDeed.SENT, "u", "cyme@b1", 1.5, name="n", queue="q", url="http://h/", app="a")
RECEIVED = TaskEvent(TaskDeed.RECEIVED, "u", "w1@b1", 1.0, name="n", retries=0)
STARTED = TaskEvent(TaskDeed.STARTED, "u", "w1@b1", 2.0)
SUCCEEDED = TaskEvent(TaskDeed.SUCCEEDED, "u", "w1@b1", 3.0, runtime_s=0.5)
FAILED = TaskEvent(TaskDeed.FAILED, "u", "w1@b1", 3.0, exception="ValueError('x')")
RETRIED = TaskEvent(TaskDeed.RETRIED, "u", "w1@b1", 3.0, exception="OSError()")


def seen(*events: TaskEvent) -> SeenTask:
    recents = RecentTasks()
    for event in events:
        recents.take(event)
    found = recents.find("u")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "events", list(itertools.permutations([SENT, RECEIVED, STARTED, SUCCEEDED]))
)
def test_events_in_any_order_tell_the_same(events: tuple[TaskEvent, ...]) -> None:
    sighting = seen(*events).sighting()
    assert (sighting.state, sighting.name, sighting.queue, sighting.app) == (
        "SUCCESS",
        "n",
        "q",
        "a",
    )
    assert (sighting.url, sighting.worker, sighting.sent_at) == ("http://h/", "w1@b1", 1.5)
    assert (sighting.ended_at, sighting.at) == (3.0, 3.0)


def test_a_task_that_was_sent_only_waits() -> None:
    sighting = seen(SENT).sighting()
    assert (sighting.state, sighting.worker, sighting.at) == ("PENDING", "", 1.5)


def test_having_been_sent_follows_nothing_whatever_the_clocks_say() -> None:
    late = TaskEvent(TaskDeed.SENT, "u", "cyme@b2", 99.0, queue="q")
    sighting = seen(RECEIVED, STARTED, late).sighting()
    assert (sighting.state, sighting.queue, sighting.at) == ("STARTED", "q", 99.0)


def test_a_failure_tells_why_and_a_later_success_wipes_it() -> None:
    assert seen(STARTED, FAILED).sighting().exception == "ValueError('x')"
    assert seen(STARTED, FAILED).sighting().state == "FAILURE"
    later = TaskEvent(TaskDeed.SUCCEEDED, "u", "w1@b1", 9.0)
    assert seen(STARTED, FAILED, later).sighting().exception is None


def test_another_try_begins_anew() -> None:
    again = TaskEvent(TaskDeed.RECEIVED, "u", "w2@b2", 5.0, retries=1)
    task = seen(RECEIVED, STARTED, RETRIED)
    assert (task.state, task.exception) == ("RETRY", "OSError()")
    task.take(again)
    sighting = task.sighting()
    assert (sighting.state, sighting.retries, sighting.started_at) == ("RECEIVED", 1, None)


def test_of_two_deeds_of_one_moment_the_graver_tells() -> None:
    started = TaskEvent(TaskDeed.STARTED, "u", "w1@b1", 3.0)
    assert seen(SUCCEEDED, started).state == "SUCCESS"
    assert seen(started, SUCCEEDED).state == "SUCCESS"


@pytest.mark.parametrize("event", [SENT, RECEIVED, STARTED, SUCCEEDED, FAILED, RETRIED])
def test_what_comes_twice_is_told_once(event: TaskEvent) -> None:
    recents = RecentTasks()
    assert recents.take(event) is not None
    assert recents.take(event) is None
    assert len(recents) == 1


def test_an_end_that_differs_is_no_repetition() -> None:
    recents = RecentTasks()
    assert recents.take(SUCCEEDED) is not None
    assert recents.take(FAILED) is not None


def test_tasks_are_listed_the_latest_first_whether_they_are_over_or_not() -> None:
    recents = RecentTasks()
    for number, deed in enumerate([TaskDeed.STARTED, TaskDeed.SUCCEEDED] * 3):
        recents.take(TaskEvent(deed, f"u{number}", "w1@b1", 1.0))
    listed = [task.uuid for task in recents.newest(lambda _: True, 4)]
    assert listed == ["u5", "u4", "u3", "u2"]
    assert [t.uuid for t in recents.newest(lambda t: t.state == "STARTED", 9)] == ["u4", "u2", "u0"]
    recents.take(TaskEvent(TaskDeed.STARTED, "u0", "w1@b1", 2.0))
    assert recents.newest(lambda _: True, 1)[0].uuid == "u0"


def test_many_short_tasks_do_not_drive_out_a_long_one() -> None:
    recents = RecentTasks(open_max=3, ended_max=2)
    recents.take(TaskEvent(TaskDeed.STARTED, "long", "w1@b1", 1.0, name="long"))
    for number in range(100):
        recents.take(TaskEvent(TaskDeed.STARTED, f"u{number}", "w1@b1", 1.0))
        recents.take(TaskEvent(TaskDeed.SUCCEEDED, f"u{number}", "w1@b1", 2.0))
    assert recents.find("long") is not None
    assert len(recents) == 3


def test_the_room_for_tasks_is_bounded() -> None:
    recents = RecentTasks(open_max=3, ended_max=2)
    for number in range(100):
        recents.take(TaskEvent(TaskDeed.STARTED, f"o{number}", "w1@b1", 1.0))
        recents.take(TaskEvent(TaskDeed.FAILED, f"e{number}", "w1@b1", 1.0))
    assert len(recents) == 5
    assert recents.find("o0") is None
    assert recents.find("o99") is not None
