"""Calls between branches: each has one effect and one end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cyme.core.cluster import calls
from cyme.core.cluster.calls import (
    ANSWERS_BYTES_MAX,
    ANSWERS_MAX,
    ASKED_MAX,
    CALL_S_MAX,
    HOPS_MAX,
    KEPT_S,
    PERFORMING_MAX,
    Calls,
)
from cyme.core.cluster.effects import Effect, Perform, Reply, Send, Settle
from cyme.core.cluster.messages import Answer, Call, Sender
from cyme.core.model import BranchId

A, B, C = (Sender(BranchId(name), 7, 0) for name in "abc")
AT_B = "tcp://b:1"


def _ask(
    asking: Calls,
    now: float = 0.0,
    *,
    call: str = "1",
    boot: int = 7,
    timeout_s: float = 10.0,
    hops: int = 0,
) -> list[Effect]:
    return asking.call(
        now,
        A,
        call=call,
        target=B.branch,
        endpoint=AT_B,
        boot=boot,
        method="apps.put",
        arguments=b"{}",
        timeout_s=timeout_s,
        hops=hops,
    )


def _call(call: str = "1", sender: Sender = A, **changes: Any) -> Call:
    message = Call(
        sender=sender,
        id=call,
        method="apps.put",
        arguments=b"{}",
        budget_s=10.0,
        hops=0,
        target=B.branch,
        target_boot=7,
    )
    return replace(message, **changes)


def _answer(call: str = "1", value: bytes = b"done", sender: Sender = B) -> Answer:
    return Answer(sender=sender, id=call, ok=True, value=value)


def _in_doubt(why: str, call: str = "1") -> Settle:
    return Settle(call, ok=False, value=None, why=why, in_doubt=True)


# --- calls of this branch ------------------------------------------------------------------------


def test_a_call_is_sent_and_settled_by_its_answer_once() -> None:
    asking = Calls()
    assert _ask(asking) == [Send(AT_B, _call())]
    assert asking.on_answer(0.1, _answer()) == [Settle("1", ok=True, value=b"done")]
    assert asking.on_answer(0.2, _answer()) == []
    assert asking.on_tick(20.0, A) == []


def test_an_error_is_an_answer_too() -> None:
    asking = Calls()
    _ask(asking)
    refused = replace(_answer(), ok=False, value=b"full")
    assert asking.on_answer(0.1, refused) == [Settle("1", ok=False, value=b"full")]


def test_an_answer_of_a_branch_that_was_not_asked_counts_for_nothing() -> None:
    asking = Calls()
    _ask(asking)
    assert asking.on_answer(0.1, _answer(sender=C)) == []
    assert asking.on_answer(0.2, _answer()) != []


def test_a_call_is_tried_again_ever_more_rarely_with_what_is_left_of_its_time() -> None:
    asking = Calls()
    _ask(asking, 100.0)
    again = Sender(A.branch, 7, 3)
    sent = [
        (tenth / 10, effect)
        for tenth in range(1, 110)
        for effect in asking.on_tick(100.0 + tenth / 10, again)
    ]
    assert [at for at, _ in sent] == [1.0, 3.0, 7.0, 10.0]
    for at, effect in sent[:3]:
        assert isinstance(effect, Send)
        assert isinstance(effect.message, Call)
        assert effect.message.budget_s == pytest.approx(10.0 - at)
        assert effect == Send(AT_B, _call(sender=again, budget_s=effect.message.budget_s))
    assert sent[3][1] == _in_doubt("branch 'b' did not answer within 10.0 s")


def test_a_call_that_was_not_looked_after_for_long_is_tried_again_once() -> None:
    asking = Calls()
    _ask(asking)
    assert len(asking.on_tick(9.0, A)) == 1
    assert asking.on_tick(9.1, A) == []


def test_an_answer_that_is_late_counts_as_long_as_nobody_was_told_otherwise() -> None:
    asking = Calls()
    _ask(asking)
    assert asking.on_answer(99.0, _answer()) == [Settle("1", ok=True, value=b"done")]


def test_nobody_waits_longer_than_an_answer_is_kept() -> None:
    asking = Calls()
    (sent,) = _ask(asking, timeout_s=3600.0)
    assert isinstance(sent, Send)
    assert isinstance(sent.message, Call)
    assert sent.message.budget_s == CALL_S_MAX <= KEPT_S
    assert asking.on_tick(CALL_S_MAX, A) == [_in_doubt("branch 'b' did not answer within 600.0 s")]


def test_a_call_is_in_doubt_at_once_when_its_target_fails() -> None:
    asking = Calls()
    _ask(asking)
    assert asking.on_gone(1.24, C.branch) == []
    assert asking.on_gone(1.24, B.branch) == [
        _in_doubt("branch 'b' failed or left, 1.2 s after it was asked")
    ]
    assert asking.on_gone(1.3, B.branch) == []
    assert asking.on_answer(1.4, _answer()) == []


def test_a_call_is_in_doubt_at_once_when_its_target_begins_another_life() -> None:
    asking = Calls()
    _ask(asking)
    _ask(asking, call="2", boot=0)
    _ask(asking, call="3", boot=8)
    assert asking.on_life(2.0, C.branch, 8) == []
    assert asking.on_life(2.0, B.branch, 8) == [
        _in_doubt("branch 'b' was started again, 2.0 s after it was asked")
    ]
    assert len(asking.on_tick(2.0, A)) == 2


def test_a_call_that_cannot_be_made_is_settled_without_doubt() -> None:
    asking = Calls()
    assert _ask(asking, hops=HOPS_MAX + 1) == [
        Settle("1", ok=False, value=None, why="it was passed on more than 2 times")
    ]
    assert _ask(asking, timeout_s=0.0) == [
        Settle("1", ok=False, value=None, why="no time was left to ask branch 'b'")
    ]
    for number in range(ASKED_MAX):
        assert isinstance(_ask(asking, call=f"{number}", hops=HOPS_MAX)[0], Send)
    assert _ask(asking, call="x") == [
        Settle("x", ok=False, value=None, why="too many calls under way")
    ]
    asking.on_answer(1.0, _answer("0"))
    assert isinstance(_ask(asking, call="x")[0], Send)


def test_a_call_is_made_once() -> None:
    asking = Calls()
    _ask(asking)
    with pytest.raises(AssertionError):
        _ask(asking)


# --- calls of others -----------------------------------------------------------------------------


def test_a_call_is_performed_once_and_answered_as_often_as_it_is_asked() -> None:
    asked = Calls()
    assert asked.on_call(50.0, B, b"l1", _call()) == [
        Perform(
            call="1",
            method="apps.put",
            arguments=b"{}",
            deadline=60.0,
            origin="a",
            hops=0,
        )
    ]
    assert asked.on_call(51.0, B, b"l2", _call()) == []
    # The connection that it was asked by last is the one that is likely to be there.
    assert asked.on_performed(52.0, B, "1", ok=True, value=b"done") == [Reply(b"l2", _answer())]
    assert asked.on_performed(52.0, B, "1", ok=True, value=b"else") == []
    asked.on_tick(52.0 + KEPT_S - 0.1, B)
    assert asked.on_call(651.0, B, b"l3", _call()) == [Reply(b"l3", _answer())]
    asked.on_tick(52.0 + KEPT_S, B)
    assert isinstance(asked.on_call(653.0, B, b"l3", _call())[0], Perform)


def test_nobody_performs_for_longer_than_anybody_waits() -> None:
    (perform,) = Calls().on_call(50.0, B, b"l", _call(budget_s=1e9))
    assert isinstance(perform, Perform)
    assert perform.deadline == 50.0 + CALL_S_MAX


def test_what_is_performed_for_too_long_is_answered_no_more() -> None:
    asked = Calls()
    asked.on_call(0.0, B, b"l", _call())
    asked.on_tick(KEPT_S - 0.1, B)
    assert asked.on_call(KEPT_S - 0.1, B, b"l", _call()) == []
    asked.on_tick(KEPT_S, B)
    assert asked.on_performed(KEPT_S, B, "1", ok=True, value=b"") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"target": C.branch},
        {"target_boot": 6},
        {"target_boot": 8},
        {"hops": HOPS_MAX + 1},
        {"budget_s": 0.0},
        {"budget_s": -1.0},
    ],
)
def test_a_call_that_means_another_or_comes_too_late_is_dropped(changes: dict[str, Any]) -> None:
    assert Calls().on_call(0.0, B, b"l", _call(**changes)) == []


def test_a_call_may_mean_any_life_and_may_have_been_passed_on() -> None:
    asked = Calls()
    assert asked.on_call(0.0, B, b"l", _call("1", target_boot=0)) != []
    assert asked.on_call(0.0, B, b"l", _call("2", hops=HOPS_MAX)) != []


def test_two_branches_may_name_their_calls_alike() -> None:
    asked = Calls()
    asked.on_call(0.0, B, b"a", _call())
    # While the one is performed the other has to try again: performers know the id alone.
    assert asked.on_call(0.1, B, b"c", _call(sender=C)) == []
    assert asked.on_performed(0.2, B, "1", ok=True, value=b"for a") == [
        Reply(b"a", _answer(value=b"for a"))
    ]
    (perform,) = asked.on_call(1.1, B, b"c", _call(sender=C))
    assert isinstance(perform, Perform)
    assert perform.origin == "c"
    asked.on_performed(1.2, B, "1", ok=True, value=b"for c")
    for sender, link, value in [(A, b"a", b"for a"), (C, b"c", b"for c")]:
        assert asked.on_call(2.0, B, link, _call(sender=sender)) == [
            Reply(link, _answer(value=value))
        ]


# --- limits --------------------------------------------------------------------------------------


def _perform(asked: Calls, names: Sequence[str], value: bytes = b"done", now: float = 0.0) -> None:
    for name in names:
        assert isinstance(asked.on_call(now, B, b"l", _call(name))[0], Perform)
        assert len(asked.on_performed(now, B, name, ok=True, value=value)) == 1


def test_more_calls_than_may_be_performed_have_to_be_tried_again() -> None:
    asked = Calls()
    for number in range(PERFORMING_MAX):
        assert len(asked.on_call(0.0, B, b"l", _call(f"{number}"))) == 1
    assert asked.on_call(0.0, B, b"l", _call("x")) == []
    asked.on_performed(0.0, B, "5", ok=True, value=b"")
    assert len(asked.on_call(0.0, B, b"l", _call("x"))) == 1


def test_the_oldest_answers_make_room_and_their_calls_are_still_not_performed_again() -> None:
    asked = Calls()
    names = [f"{number}" for number in range(ANSWERS_MAX + 2)]
    _perform(asked, names)
    for name in names[:2]:
        assert asked.on_call(1.0, B, b"l", _call(name)) == []
    assert asked.on_call(1.0, B, b"l", _call(names[2])) == [Reply(b"l", _answer(names[2]))]
    asked.on_tick(KEPT_S, B)
    for name in names[:3]:
        assert isinstance(asked.on_call(KEPT_S, B, b"l", _call(name))[0], Perform)


def test_large_answers_make_room_sooner() -> None:
    asked = Calls()
    large = bytes(ANSWERS_BYTES_MAX // 4)
    for life in range(3):  # what was forgotten counts no more
        now = life * KEPT_S
        asked.on_tick(now, B)
        _perform(asked, ["1", "2", "3", "4"], large, now)
        assert len(asked.on_call(now, B, b"l", _call("1"))) == 1
        _perform(asked, ["5"], b"x", now)
        assert asked.on_call(now, B, b"l", _call("1")) == []
        assert asked.on_call(now, B, b"l", _call("2")) == [Reply(b"l", _answer("2", large))]


def test_what_is_known_of_calls_whose_answers_had_to_go_is_bounded_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "ANSWERS_MAX", 2)
    monkeypatch.setattr(calls, "SPENT_MAX", 3)
    asked = Calls()
    _perform(asked, ["1", "2", "3", "4", "5", "6"])
    assert isinstance(asked.on_call(0.0, B, b"l", _call("1"))[0], Perform)
    for name in ["2", "3", "4"]:
        assert asked.on_call(0.0, B, b"l", _call(name)) == []
    for name in ["5", "6"]:
        assert asked.on_call(0.0, B, b"l", _call(name)) == [Reply(b"l", _answer(name))]
