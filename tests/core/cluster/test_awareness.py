from __future__ import annotations

from cyme.core.cluster.awareness import SCORE_MAX, Awareness


def test_a_healthy_branch_waits_no_longer_than_it_has_to() -> None:
    awareness = Awareness()
    assert (awareness.score, awareness.factor) == (0, 1)


def test_every_sign_of_slowness_lengthens_what_is_waited_for() -> None:
    awareness = Awareness()
    awareness.worse()
    awareness.worse(2)
    assert (awareness.score, awareness.factor) == (3, 4)


def test_every_good_sign_takes_one_back() -> None:
    awareness = Awareness()
    awareness.worse(3)
    awareness.better()
    assert awareness.score == 2


def test_the_score_stays_within_its_bounds() -> None:
    awareness = Awareness()
    awareness.better()
    assert awareness.score == 0
    awareness.worse(SCORE_MAX - 1)
    awareness.worse(2)
    assert awareness.score == SCORE_MAX
