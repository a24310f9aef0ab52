"""What result backends hold is read as plain JSON."""

from __future__ import annotations

import json
import pickle

import pytest

from cyme.adapters.task_gateway.outcomes import UNREADABLE, UNREADABLE_PAYLOAD, outcome_of
from cyme.core.tasks import Outcome, TaskState


def payload(status: str, result: object = None, traceback: object = None) -> bytes:
    return json.dumps({"status": status, "result": result, "traceback": traceback}).encode()


def test_a_success_is_what_was_returned() -> None:
    outcome = outcome_of(payload("SUCCESS", {"a": [1, "ü", None]}))
    assert outcome == Outcome(state=TaskState.SUCCESS, result={"a": [1, "ü", None]})


@pytest.mark.parametrize(
    ("message", "told"),
    [(["gone"], "gone"), (["a", 2], "a, 2"), ("gone", "gone"), ([], ""), (None, "")],
)
def test_a_failure_is_its_exception_and_traceback(message: object, told: str) -> None:
    exception = {"exc_type": "Broken", "exc_message": message, "exc_module": "m"}
    outcome = outcome_of(payload("FAILURE", exception, "Traceback..."))
    assert outcome == Outcome(
        state=TaskState.FAILURE,
        result={"exc_type": "Broken", "exc_message": told},
        traceback="Traceback...",
    )


def test_what_kombu_wrote_for_other_types_is_its_text() -> None:
    moment = {"__type__": "datetime", "__value__": "2026-11-21T09:00:00"}
    assert outcome_of(payload("SUCCESS", [moment])).result == ["2026-11-21T09:00:00"]


def test_a_state_of_the_users_making_is_one_of_a_running_task() -> None:
    outcome = outcome_of(payload("PROGRESS", {"done": 5}))
    assert (outcome.state, outcome.result) == (TaskState.STARTED, {"done": 5})


def test_half_a_character_is_replaced_so_that_a_reply_can_hold_it() -> None:
    outcome = outcome_of(payload("SUCCESS", ["\ud800", "\U0001f600"]))
    assert outcome.result == ["?", "\U0001f600"]


@pytest.mark.parametrize(
    "content",
    [
        UNREADABLE_PAYLOAD,
        b"",
        b"{",
        b"[]",
        b'{"status": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        pickle.dumps({"status": "SUCCESS", "result": 1}),
    ],
)
def test_what_is_not_json_is_a_failure_that_says_so(content: bytes) -> None:
    assert outcome_of(content) is UNREADABLE


def test_nothing_is_unpickled() -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return pytest.fail, ("it was unpickled",)

    assert outcome_of(pickle.dumps(Trap())) is UNREADABLE
