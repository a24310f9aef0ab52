"""The plain values: states, looks, outcomes, errors."""

from __future__ import annotations

from cyme.core.events import Event
from cyme.core.status import UNSEEN, InstanceState
from cyme.core.tasks import PENDING, TaskState
from cyme.core.workers import Launch
from cyme.errors import InvalidRequest, NotFound, Unavailable


def test_three_states_of_a_task_are_final() -> None:
    final = {state for state in TaskState if state.is_final}
    assert final == {TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED}
    assert PENDING.state is TaskState.PENDING


def test_an_instance_that_nobody_looked_at_is_pending() -> None:
    assert UNSEEN.state is InstanceState.PENDING
    assert UNSEEN.pids == ()


def test_the_environment_of_a_launch_is_not_shown() -> None:
    launch = Launch(instance="w", node="w@b", python="/p", options=(), env={"KEY": "hush"})
    assert "hush" not in repr(launch)


def test_errors_carry_fields() -> None:
    assert InvalidRequest.of("pool", "is odd").faults[0].parameter == "pool"
    assert NotFound("app", "x", "Make it.").detail == "There is no app named 'x'. Make it."
    assert Unavailable("away").retry_after_s == 5.0


def test_an_event_carries_no_data_unless_given() -> None:
    assert Event(seq=1, at=0.0, kind="a.b", reason="because").data == {}
