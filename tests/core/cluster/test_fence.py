from __future__ import annotations

import pytest

from cyme.core.cluster.fence import ALONE_S, PATIENCE_S, ROUND_S, Fence
from cyme.core.model import BranchId

A, B = BranchId("a"), BranchId("b")

NOW = 1000.0


def _raised(*, heard: bool = True) -> Fence:
    fence = Fence(up=True)
    fence.start(NOW)
    if heard:
        fence.heard()
    return fence


def _comes_down(fence: Fence, now: float, *, absorbing: bool = False) -> bool:
    return fence.comes_down(now, absorbing=absorbing)


def test_whoever_has_nothing_to_lose_acts_from_the_start() -> None:
    fence = Fence(up=False)
    fence.start(NOW)
    assert not fence.up
    assert fence.lowered_at == NOW
    assert not fence.wants_round(NOW)
    assert not _comes_down(fence, NOW + PATIENCE_S)
    assert fence.lowered_at == NOW


def test_it_is_up_until_a_comparison_is_complete() -> None:
    fence = _raised()
    assert fence.up
    assert fence.lowered_at is None
    assert fence.wants_round(NOW)
    fence.begin_round(NOW, A, 7)
    assert not _comes_down(fence, NOW + 1.0)
    fence.answered(7)
    assert not fence.wants_round(NOW + ROUND_S)
    assert _comes_down(fence, NOW + 1.0)
    assert not fence.up
    assert fence.lowered_at == NOW + 1.0


def test_it_comes_down_once() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    fence.answered(7)
    assert _comes_down(fence, NOW)
    assert not _comes_down(fence, NOW + PATIENCE_S)


def test_it_stays_up_while_records_of_others_are_written() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    fence.answered(7)
    assert not _comes_down(fence, NOW, absorbing=True)
    assert _comes_down(fence, NOW + 1.0)


def test_an_answer_to_another_ping_does_not_complete_it() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    fence.answered(6)
    assert not _comes_down(fence, NOW)


def test_the_last_ping_behind_a_question_is_what_counts() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    assert fence.goes_on(A)
    fence.pinged(8)
    fence.answered(7)
    assert not _comes_down(fence, NOW)
    fence.answered(8)
    assert _comes_down(fence, NOW)


def test_a_question_to_another_branch_does_not_belong_to_the_comparison() -> None:
    fence = _raised()
    assert not fence.goes_on(A)
    fence.begin_round(NOW, A, 7)
    assert not fence.goes_on(B)
    fence.answered(7)
    assert not fence.goes_on(A)


def test_an_answer_after_it_came_down_counts_for_nothing() -> None:
    fence = _raised(heard=False)
    fence.begin_round(NOW, A, 7)
    assert _comes_down(fence, NOW + ALONE_S)
    assert not fence.goes_on(A)
    fence.answered(7)
    assert not fence.wants_round(NOW + ALONE_S)


def test_a_comparison_that_takes_too_long_is_begun_anew() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    assert not fence.wants_round(NOW + ROUND_S - 0.1)
    assert fence.wants_round(NOW + ROUND_S)
    fence.begin_round(NOW + ROUND_S, B, 9)
    assert not fence.goes_on(A)
    fence.answered(7)
    assert not _comes_down(fence, NOW + ROUND_S)


def test_whoever_hears_nobody_has_nobody_to_lose_anything_to() -> None:
    fence = _raised(heard=False)
    assert not _comes_down(fence, NOW + ALONE_S - 0.1)
    # Nobody there can have sent what is written: it is of the last life.
    assert _comes_down(fence, NOW + ALONE_S, absorbing=True)


@pytest.mark.parametrize("absorbing", [False, True])
def test_in_the_end_availability_goes_before_certainty(absorbing: bool) -> None:
    fence = _raised()
    assert not _comes_down(fence, NOW + PATIENCE_S - 0.1, absorbing=absorbing)
    assert _comes_down(fence, NOW + PATIENCE_S, absorbing=absorbing)


def test_after_a_stall_all_begins_anew() -> None:
    fence = _raised()
    fence.begin_round(NOW, A, 7)
    fence.answered(7)
    assert _comes_down(fence, NOW)
    fence.raise_(NOW + 100.0)
    assert fence.up
    assert fence.lowered_at is None
    assert fence.wants_round(NOW + 100.0)
    assert not fence.goes_on(A)
    fence.answered(7)
    assert not _comes_down(fence, NOW + 100.0)
    assert _comes_down(fence, NOW + 100.0 + ALONE_S)


def test_whoever_was_heard_before_a_stall_may_be_gone() -> None:
    fence = _raised()
    fence.raise_(NOW + 100.0)
    assert _comes_down(fence, NOW + 100.0 + ALONE_S)
