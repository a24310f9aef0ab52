from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.branches import BranchState
from cyme.core.cluster import membership
from cyme.core.cluster.detection import SILENCE_S
from cyme.core.cluster.members import Statement
from cyme.core.cluster.membership import GONE_S, Change, Membership, accused
from cyme.core.cluster.suspicion import SUSPICION_S_MAX, SUSPICION_S_MIN
from cyme.core.model import BranchId
from tests.core.cluster.nodes import ALIVE, FAILED, LEAVING, LEFT, SUSPECT, word

NOW = 1000.0

A = BranchId("a")


def _members(*known: Statement) -> Membership:
    members = Membership()
    for statement in known:
        members.take(NOW, statement)
    return members


def _about(members: Membership, branch: str = "a") -> Statement:
    member = members.get(branch)
    assert member is not None
    return member.statement


# --- which word counts ---------------------------------------------------------------------------

#: From the word that counts least to the one that counts most.
ORDER = [
    word("a"),
    word("a", LEAVING),
    word("a", SUSPECT, by="b"),
    word("a", FAILED, by="b"),
    word("a", LEFT),
    word("a", incarnation=1),
    word("a", FAILED, by="b", incarnation=1),
    word("a", boot=2),
]


def test_a_later_life_counts_more_then_a_higher_incarnation_then_the_graver_word() -> None:
    assert sorted(ORDER, key=lambda said: said.order) == ORDER


@pytest.mark.parametrize("later", range(1, len(ORDER)))
def test_the_word_of_the_highest_order_counts(later: int) -> None:
    before, after = ORDER[later - 1], ORDER[later]
    members = _members(before)
    assert members.take(NOW, after) == Change(before, after, taken=True, worth_telling=True)
    assert members.take(NOW, before) == Change(after, after)
    assert members.take(NOW, after) == Change(after, after)
    assert _about(members) == after


statements = st.builds(
    lambda branch, state, by, boot, incarnation: word(
        branch, state, by=by, boot=boot, incarnation=incarnation
    ),
    st.sampled_from(["a", "b"]),
    st.sampled_from(list(BranchState)),
    st.sampled_from(["a", "b", "c"]),
    st.integers(1, 2),
    st.integers(0, 2),
)


@given(st.lists(statements, max_size=12), st.randoms(use_true_random=False))
def test_words_in_whatever_order_and_however_often_come_to_the_same(
    said: list[Statement],
    chance: object,
) -> None:
    def orders(members: Membership) -> dict[str, tuple[int, int, int, str]]:
        return {member.statement.branch: member.statement.order for member in members}

    again = [*said, *said]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert orders(_members(*said)) == orders(_members(*again))


@given(st.lists(statements, min_size=1, max_size=12))
def test_what_counts_is_a_word_that_was_said(said: list[Statement]) -> None:
    for member in _members(*said):
        about = [each for each in said if each.branch == member.statement.branch]
        assert member.statement.order == max(each.order for each in about)


# --- who is known --------------------------------------------------------------------------------


def test_a_branch_is_met_by_any_word_about_it() -> None:
    for first in ORDER:
        members = Membership()
        change = members.take(NOW, first)
        assert change == Change(None, first, taken=True, worth_telling=True)
        assert len(members) == 1


def test_a_branch_that_nobody_spoke_of_is_not_known() -> None:
    members = Membership()
    assert members.get("a") is None
    assert members.heard(NOW, A, 1) is None
    members.heard_of(NOW, A)
    assert len(members) == 0


def test_those_that_take_part_and_those_that_failed_are_told_apart_in_order() -> None:
    members = _members(
        word("e"),
        word("d", LEAVING),
        word("c", FAILED),
        word("b", LEFT),
        word("a", SUSPECT),
        word("0", FAILED),
    )
    assert [member.statement.branch for member in members.present()] == ["a", "d", "e"]
    assert [member.statement.branch for member in members.failed()] == ["0", "c"]


def test_no_more_branches_are_known_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(membership, "MEMBERS_MAX", 2)
    members = _members(word("a"), word("b"))
    assert members.take(NOW, word("c")) == Change(None, word("c"))
    assert members.get("c") is None
    assert members.take(NOW, word("a", LEFT)).taken


def test_since_tells_when_the_state_or_the_life_became_what_it_is() -> None:
    members = _members(word("a"))
    member = members.get("a")
    assert member is not None
    members.take(NOW + 1.0, word("a", incarnation=1))
    assert member.since == NOW
    members.take(NOW + 2.0, word("a", LEAVING, incarnation=1))
    assert member.since == NOW + 2.0
    members.take(NOW + 3.0, word("a", LEAVING, boot=2))
    assert member.since == NOW + 3.0


def test_a_member_is_heard_in_the_life_that_is_known() -> None:
    members = _members(word("a", boot=2))
    assert members.heard(NOW + 1.0, A, 1) is None
    assert members.heard(NOW + 1.0, A, 3) is None
    member = members.heard(NOW + 1.0, A, 2)
    assert member is not None
    assert (member.heard_at, member.direct_at) == (NOW + 1.0, NOW + 1.0)


def test_hearing_of_a_member_through_others_is_not_hearing_it() -> None:
    members = _members(word("a"))
    member = members.get("a")
    assert member is not None
    members.heard_of(NOW + 5.0, A)
    members.heard_of(NOW + 3.0, A)
    assert (member.heard_at, member.direct_at) == (NOW + 5.0, float("-inf"))


def test_a_word_of_a_branch_about_itself_is_a_sign_of_it() -> None:
    members = _members(word("a"))
    member = members.get("a")
    assert member is not None
    members.take(NOW + 1.0, word("a", SUSPECT, by="b"))
    assert member.heard_at == NOW
    members.take(NOW + 2.0, word("a", incarnation=1))
    assert member.heard_at == NOW + 2.0
    members.heard_of(NOW + 9.0, A)
    members.take(NOW + 3.0, word("a", incarnation=2))
    assert member.heard_at == NOW + 9.0


# --- hearsay -------------------------------------------------------------------------------------


def _heard(at: float = NOW, *, state: BranchState = ALIVE) -> Membership:
    members = _members(word("a", state))
    members.heard(at, A, 1)
    return members


@pytest.mark.parametrize("state", [ALIVE, SUSPECT, LEAVING])
def test_whoever_is_heard_at_first_hand_has_not_failed_by_hearsay(state: BranchState) -> None:
    members = _heard(state=state)
    before = _about(members)
    change = members.take(NOW + SILENCE_S, word("a", FAILED, by="b", incarnation=3))
    assert change == Change(before, before, disputed=True)
    assert _about(members) == before


@pytest.mark.parametrize(
    ("said", "at"),
    [
        (word("a", FAILED, by="b"), NOW + SILENCE_S + 0.1),  # it was heard too long ago
        (word("a", SUSPECT, by="b"), NOW),  # a suspicion it can refute itself
        (word("a", FAILED), NOW),  # it says so itself
        (word("a", LEFT), NOW),
        (word("a", FAILED, by="b", boot=2), NOW),  # a life that was not heard
    ],
)
def test_any_other_word_is_taken_though_the_branch_was_heard(said: Statement, at: float) -> None:
    assert _heard().take(at, said).taken


def test_whoever_is_not_there_any_more_is_not_defended() -> None:
    members = _heard(state=LEFT)
    assert members.take(NOW, word("a", FAILED, by="b", incarnation=1)).taken


# --- suspicion -----------------------------------------------------------------------------------


def _others(count: int) -> list[Statement]:
    return [word(f"m{number}") for number in range(count)]


def _trial_s(members: Membership, step: float = 0.1) -> float:
    """Return after how long a member that is suspect since ``NOW`` is overdue."""
    elapsed = 0.0
    while not members.overdue(NOW + elapsed):
        elapsed = round(elapsed + step, 1)
    return elapsed


@pytest.mark.parametrize(
    ("others", "accusers", "expected_s"),
    [
        (0, [], SUSPICION_S_MIN),
        (1, [], SUSPICION_S_MAX),
        (1, ["c"], SUSPICION_S_MIN),
        (2, ["c"], 7.0),
        (2, ["c", "d"], SUSPICION_S_MIN),
        (3, ["c"], 8.0),
        (9, ["c", "d"], 5.7),
        (9, ["c", "d", "e"], SUSPICION_S_MIN),
    ],
)
def test_a_suspect_has_failed_the_sooner_the_more_accuse_it(
    others: int, accusers: Sequence[str], expected_s: float
) -> None:
    # The accused, the accuser and the others, one of whom is this branch itself.
    members = _members(word("a"), *_others(others), word("a", SUSPECT, by="b"))
    for accuser in accusers:
        assert members.take(NOW, word("a", SUSPECT, by=accuser)) == Change(
            word("a", SUSPECT, by="b"), word("a", SUSPECT, by="b"), worth_telling=True
        )
    assert _trial_s(members) == expected_s
    assert members.overdue(NOW + expected_s) == [word("a", SUSPECT, by="b")]


def test_those_that_failed_or_left_are_not_waited_for() -> None:
    gone = [word("x", FAILED), word("y", LEFT)]
    members = _members(word("a"), *gone, word("a", SUSPECT, by="b"))
    assert _trial_s(members) == SUSPICION_S_MIN


def test_whoever_is_met_as_a_suspect_is_tried_too() -> None:
    assert _trial_s(_members(word("a", SUSPECT, by="b"))) == SUSPICION_S_MIN


def test_an_accusation_that_is_known_or_of_another_time_is_not_worth_telling() -> None:
    members = _members(
        word("a", incarnation=1), *_others(5), word("a", SUSPECT, by="b", incarnation=1)
    )
    before = _about(members)
    for said in (
        word("a", SUSPECT, by="b", incarnation=1),
        word("a", SUSPECT, by="c", incarnation=0),
        word("a", SUSPECT, by="c", incarnation=1, nonce=""),
        word("a", LEAVING, by="c", incarnation=1),
    ):
        assert members.take(NOW, said) == Change(before, before)
    assert _trial_s(members) == SUSPICION_S_MAX


def test_an_accusation_of_one_that_has_failed_is_not_worth_telling() -> None:
    failed = word("a", FAILED, by="b")
    assert _members(failed).take(NOW, word("a", SUSPECT, by="c")) == Change(failed, failed)


def test_whoever_refutes_is_not_tried_any_more() -> None:
    members = _members(word("a"), word("a", SUSPECT, by="b"), word("a", incarnation=1))
    assert members.overdue(NOW + 1000.0) == []
    member = members.get("a")
    assert member is not None
    assert member.suspicion is None


def test_whoever_is_suspected_again_is_tried_anew() -> None:
    members = _members(word("a"), word("a", SUSPECT, by="b"))
    members.take(NOW + 3.0, word("a", SUSPECT, by="b", incarnation=1))
    assert members.overdue(NOW + SUSPICION_S_MIN) == []
    assert len(members.overdue(NOW + 3.0 + SUSPICION_S_MIN)) == 1


def test_all_that_are_overdue_are_told_in_order() -> None:
    members = _members(*(word(name, SUSPECT, by="x") for name in "cab"))
    assert [said.branch for said in members.overdue(NOW + 100.0)] == ["a", "b", "c"]


def test_a_trial_lasts_longer_by_the_time_in_which_nobody_could_be_heard() -> None:
    members = _members(word("a", SUSPECT, by="b"), word("c"))
    members.delay(30.0)
    assert _trial_s(members, step=1.0) == 30.0 + SUSPICION_S_MIN


def test_a_word_against_a_branch_names_who_says_it() -> None:
    assert accused(word("a", incarnation=2), SUSPECT, BranchId("b")) == word(
        "a", SUSPECT, by="b", incarnation=2
    )


# --- forgetting ----------------------------------------------------------------------------------


def test_whoever_has_been_away_for_three_days_is_forgotten() -> None:
    members = _members(word("a", FAILED), word("b", LEFT), word("c"), word("d", SUSPECT))
    members.take(NOW + 60.0, word("e", FAILED))
    assert GONE_S == 72 * 3600
    assert members.forget_gone(NOW + GONE_S) == []
    assert members.forget_gone(NOW + GONE_S + 1.0) == ["a", "b"]
    assert [member.statement.branch for member in members] == ["c", "d", "e"]


def _forgetful(*known: Statement) -> Membership:
    members = _members(*known)
    members.forget_gone(NOW + GONE_S + 1.0)
    assert len(members) == 0
    return members


@pytest.mark.parametrize("last", [word("a", FAILED, by="b", incarnation=1), word("a", LEFT)])
def test_whoever_was_forgotten_is_not_brought_back_by_those_who_remember(last: Statement) -> None:
    members = _forgetful(last)
    earlier = word("a", FAILED, by="c", incarnation=0)
    for said in (last, earlier):
        assert members.take(NOW, said) == Change(None, said)
    assert members.get("a") is None


@pytest.mark.parametrize(
    "said",
    [
        word("a"),  # it is there, and may not know yet what is held of it
        word("a", SUSPECT, by="b"),
        word("a", FAILED, by="b", incarnation=1),
        word("a", LEFT, boot=2),
        word("b", FAILED),
    ],
)
def test_whatever_says_more_than_was_forgotten_is_taken(said: Statement) -> None:
    members = _forgetful(word("a", FAILED, by="b"))
    assert members.take(NOW, said).taken


def test_whoever_came_back_and_went_is_met_as_any_other() -> None:
    members = _forgetful(word("a", FAILED, by="b"))
    members.take(NOW, word("a"))
    assert members.take(NOW, word("a", FAILED, by="b")).taken


def test_of_too_many_that_were_forgotten_the_latest_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(membership, "FORGOTTEN_MAX", 2)
    members = _forgetful(*(word(name, FAILED) for name in "abc"))
    assert [members.take(NOW, word(name, FAILED)).taken for name in "abc"] == [True, False, False]


def test_members_may_change_while_they_are_gone_through() -> None:
    members = _members(word("a"), word("b"))
    for member in members:
        members.take(NOW, word(f"{member.statement.branch}2"))
    assert len(members) == 4


def test_a_life_of_a_branch_is_told_from_every_other() -> None:
    said = word("a", boot=2)
    assert word("a", SUSPECT, by="b", boot=2, incarnation=3).life == said.life
    assert word("a", boot=2, nonce="other").life != said.life
    assert word("a", boot=1).life < said.life < word("a", boot=3).life
