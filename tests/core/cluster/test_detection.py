from __future__ import annotations

from collections.abc import Sequence

import pytest

from cyme.core.cluster.awareness import Awareness
from cyme.core.cluster.detection import PROBE_S, RECOVERY_S, SILENCE_S, Detection
from cyme.core.model import BranchId

A, B, C, D, E = (BranchId(name) for name in "abcde")


class Watching:
    """Watches over some branches; asks ten times a second."""

    def __init__(self, *branches: BranchId) -> None:
        self.now = 1000.0
        self.awareness = Awareness()
        self.detection = Detection(self.awareness)
        self.detection.watch(self.now, branches)

    def due(self) -> tuple[Sequence[BranchId], Sequence[BranchId]]:
        return self.detection.due(self.now)

    def after(
        self, seconds: float, *beating: BranchId
    ) -> list[tuple[float, list[BranchId], list[BranchId]]]:
        """Let time go by in which some beat; return what was due, and when."""
        began, found = self.now, []
        while self.now < began + seconds - 0.05:
            self.now = round(self.now + 0.1, 1)
            for branch in beating:
                self.detection.heard(self.now, branch)
            probed, accused = self.detection.due(self.now)
            if probed or accused:
                found.append((round(self.now - began, 1), probed, accused))
        return found


def test_nobody_is_probed_who_beats() -> None:
    watching = Watching(A, B)
    assert watching.after(60.0, A, B) == []


def test_a_silent_branch_is_probed_and_then_accused_until_it_is_heard() -> None:
    watching = Watching(A, B, C)
    assert watching.after(10.0, B, C) == [
        (3.1, [A], []),
        (5.1, [A], [A]),
        (7.1, [A], [A]),
        (9.1, [A], [A]),
    ]
    assert watching.after(10.0, A, B, C) == []


def test_silence_begins_anew_when_a_branch_was_heard() -> None:
    watching = Watching(A, B, C)
    watching.after(4.0, B, C)
    watching.detection.heard(watching.now, A)
    assert watching.after(6.0, B, C) == [(3.1, [A], []), (5.1, [A], [A])]


def test_whoever_is_due_at_once_is_told_in_order() -> None:
    watching = Watching(E, C, A, B, D)
    assert watching.after(5.5, A, D) == [(3.1, [B, C, E], []), (5.1, [B, C, E], [B, C, E])]


def test_whoever_is_listened_to_no_more_is_not_watched() -> None:
    watching = Watching(A, B, C)
    watching.detection.watch(watching.now, [B, C])
    assert watching.after(10.0, B, C) == []
    watching.detection.heard(watching.now, A)


def test_whoever_is_listened_to_from_now_on_counts_as_heard_now_and_the_others_as_before() -> None:
    watching = Watching(A, B, C)
    watching.after(2.0, B, C)
    watching.detection.watch(watching.now, [A, B, C, D])
    assert watching.after(3.5, B, C) == [(1.1, [A], []), (3.1, [A, D], [A])]


def test_after_a_stall_nobody_is_probed_or_accused_before_it_could_be_heard() -> None:
    watching = Watching(A, B, C)
    watching.after(4.0, B, C)
    watching.now += 60.0
    watching.detection.forgive(watching.now)
    assert watching.due() == ([], [])
    assert watching.after(5.5, B, C) == [(3.1, [A], []), (5.1, [A], [A])]


@pytest.mark.parametrize("score", [1, 3, 8])
def test_whoever_is_slow_itself_waits_longer_for_others(score: int) -> None:
    watching = Watching(A, B, C)
    watching.after(0.1, A, B, C)  # it recovers at the first look, if there is anything to
    watching.awareness.worse(score)
    patience_s = SILENCE_S * (1 + score)
    found = watching.after(patience_s + PROBE_S + 0.3, B, C)
    assert found == [
        (round(patience_s + 0.1, 1), [A], []),
        (round(patience_s + PROBE_S + 0.1, 1), [A], [A]),
    ]


def test_where_most_are_silent_at_once_a_branch_doubts_itself_first_and_once() -> None:
    watching = Watching(A, B, C)
    watching.after(0.1, A, B, C)
    assert watching.after(11.5, C) == [(9.1, [A, B], []), (11.1, [A, B], [A, B])]
    assert watching.awareness.score == 2


def test_as_many_as_sixty_in_a_hundred_may_be_silent_without_doubt() -> None:
    watching = Watching(A, B, C, D, E)
    watching.after(3.5, A, B)
    assert watching.awareness.score == 0
    watching.after(3.5, A)
    assert watching.awareness.score == 2


def test_whoever_listens_to_one_alone_does_not_doubt_itself_for_its_silence() -> None:
    watching = Watching(A)
    assert watching.after(5.5) == [(3.1, [A], []), (5.1, [A], [A])]


def test_doubt_that_went_by_may_come_again() -> None:
    watching = Watching(A, B)
    watching.after(0.1, A, B)
    for doubts in (1, 2):
        watching.after(3.5)
        watching.after(0.1, A, B)
        assert watching.awareness.score == 2 * doubts


def test_whoever_answers_a_probe_shows_that_this_branch_hears_well() -> None:
    watching = Watching(A, B, C)
    watching.after(3.5, B, C)
    watching.awareness.worse(2)
    watching.detection.heard(watching.now, A)
    assert watching.awareness.score == 1
    watching.detection.heard(watching.now, A)
    assert watching.awareness.score == 1


def test_a_branch_that_hears_all_others_recovers_step_by_step() -> None:
    watching = Watching(A, B)
    watching.after(0.1, A, B)
    watching.awareness.worse(2)
    watching.after(RECOVERY_S - 0.1, A, B)
    assert watching.awareness.score == 2
    watching.after(0.2, A, B)
    assert watching.awareness.score == 1
    watching.after(RECOVERY_S, A, B)
    assert watching.awareness.score == 0


def test_a_branch_does_not_recover_while_one_is_silent() -> None:
    watching = Watching(A, B, C)
    watching.awareness.worse(8)
    watching.after(SILENCE_S, B, C)
    score = watching.awareness.score
    watching.after(3 * RECOVERY_S, B, C)
    assert watching.awareness.score == score
    watching.detection.heard(watching.now, A)
    score = watching.awareness.score
    watching.after(RECOVERY_S - 0.2, A, B, C)
    assert watching.awareness.score == score


def test_a_branch_does_not_recover_by_standing_still() -> None:
    watching = Watching(A, B)
    watching.awareness.worse(3)
    watching.after(0.1, A, B)
    assert watching.awareness.score == 2
    watching.now += 3 * RECOVERY_S
    watching.detection.forgive(watching.now)
    watching.after(0.1, A, B)
    assert watching.awareness.score == 2
