from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.events import EVERYTHING, Cursor, Event, EventFilter, Mark, mark_of

numbers = st.integers(0, 2**53)


def event(kind: str = "instance.started", **fields: object) -> Event:
    told = {"seq": 1, "at": 100.0, "reason": "because", "branch": "b1", "life": 7} | fields
    return Event(kind=kind, **told)  # type: ignore[arg-type]  # a test's word


@given(st.sampled_from(["b1", "a.b-c_d", "9.9.9"]), numbers, numbers, numbers)
def test_an_id_says_where_an_event_stands(branch: str, life: int, seq: int, at_ms: int) -> None:
    each = event(branch=branch, life=life, seq=seq, at=at_ms / 1000)
    mark = mark_of(each.id)
    assert mark is not None
    assert (mark.branch, mark.cursor) == (branch, each.cursor)
    assert mark.at == pytest.approx(at_ms / 1000, abs=0.002)


@pytest.mark.parametrize(
    "text", ["", "b1", "1.2.3", "b1.1.2.x", "b1.1.2.", "é.1.2.3", "b" * 300 + ".1.2.3"]
)
def test_what_is_no_id_says_nothing(text: str) -> None:
    assert mark_of(text) is None


def test_an_id_of_no_branch_is_one_all_the_same() -> None:
    assert mark_of(".a.b.3e8") == Mark("", Cursor(10, 11), 1.0)


def test_a_later_life_comes_after_all_of_an_earlier_one() -> None:
    assert event(life=7, seq=9_000).cursor < event(life=8, seq=1).cursor


@pytest.mark.parametrize(
    ("kind", "data", "is_view"),
    [
        ("branch.failed", {"branch": "b2"}, True),
        ("branch.left", {"branch": "b1"}, True),
        ("branch.stalled", {}, False),
        ("instance.handed-over", {"branch": "b2"}, False),
    ],
)
def test_what_a_branch_says_of_one_that_it_sees_is_its_view(
    kind: str, data: dict[str, object], is_view: bool
) -> None:
    assert event(kind, data=data).is_view is is_view


def test_tasks_are_told_apart() -> None:
    assert event("task.failed").is_of_task
    assert not event("tasks.lost").is_of_task


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (EVERYTHING, True),
        (EventFilter(apps=("shop",)), True),
        (EventFilter(apps=("other",)), False),
        (EventFilter(instances=("w0", "w1")), True),
        (EventFilter(instances=("w2",)), False),
        (EventFilter(branches=("b1",)), True),
        (EventFilter(branches=("b2",)), True),
        (EventFilter(branches=("b3",)), False),
        (EventFilter(kinds=("instance.handed-over",)), True),
        (EventFilter(kinds=("broker.lost", "instance.*")), True),
        (EventFilter(kinds=("instance.handed",)), False),
        (EventFilter(kinds=("inst.*",)), False),
        (EventFilter(since=100.0), True),
        (EventFilter(since=100.1), False),
        (EventFilter(apps=("shop",), kinds=("broker.*",)), False),
        (EventFilter(apps=("shop",), branches=("b3",)), False),
    ],
)
def test_a_filter_wants_what_passes_all_of_it(wanted: EventFilter, is_wanted: bool) -> None:
    moved = event("instance.handed-over", app="shop", instance="w1", data={"branch": "b2"})
    assert wanted.wants(moved) is is_wanted
