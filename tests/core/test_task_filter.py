from __future__ import annotations

import pytest

from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.core.task_filter import NOWHERE, Place, TaskFilter, matcher, state_of
from cyme.core.task_recents import SeenTask
from cyme.errors import InvalidRequest

PLACES = {"w1@b1": Place(instance="w1", app="shop", branch="b1")}


def task() -> SeenTask:
    seen = SeenTask("u-1", TaskDeed.STARTED)
    seen.take(TaskEvent(TaskDeed.STARTED, "u-1", "w1@b1", 1.0, name="proj.Add", queue="q"))
    return seen


def wants(**wanted: object) -> bool:
    filter_ = TaskFilter(**wanted)  # type: ignore[arg-type]  # as each case has it
    return matcher(filter_, lambda node: PLACES.get(node, NOWHERE))(task())


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"apps": ("x", "shop")},
        {"instances": ("w1",)},
        {"queues": ("q",)},
        {"states": ("STARTED",)},
        {"text": "PROJ.a"},
        {"text": "u-1"},
        {"apps": ("shop",), "instances": ("w1",), "queues": ("q",), "text": "w1@"},
    ],
)
def test_a_task_that_is_as_wanted_is_found(wanted: dict[str, object]) -> None:
    assert wants(**wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"apps": ("x",)},
        {"apps": ()},
        {"instances": ("w2",)},
        {"queues": ("r",)},
        {"states": ("SUCCESS", "FAILURE")},
        {"text": "sub"},
        {"apps": ("shop",), "instances": ("w2",)},
    ],
)
def test_a_task_that_differs_in_one_thing_is_not(wanted: dict[str, object]) -> None:
    assert not wants(**wanted)


def test_the_app_that_a_task_was_sent_through_counts_before_that_of_its_worker() -> None:
    sent = SeenTask("u", TaskDeed.SENT)
    sent.take(TaskEvent(TaskDeed.SENT, "u", "cyme@b1", 1.0, app="shop"))
    assert matcher(TaskFilter(apps=("shop",)), lambda _: NOWHERE)(sent)
    assert not matcher(TaskFilter(apps=("mail",)), lambda _: NOWHERE)(sent)


@pytest.mark.parametrize("word", ["SUCCESS", "success", "succeeded", "Succeeded"])
def test_a_state_may_be_written_in_several_ways(word: str) -> None:
    assert state_of(word) == "SUCCESS"


def test_a_word_that_is_no_state_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidRequest, match=r"'done' is no state of a task.*SUCCESS"):
        state_of("done")
