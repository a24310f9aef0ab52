from __future__ import annotations

from cyme.core.cluster.joining import (
    CHECK_S,
    GREET_AGAIN_S,
    GREET_S,
    GREETED_MAX,
    JOIN_ALONE_S,
    JOIN_S,
    KNOWN_MAX,
    Joining,
)
from tests.core.cluster.nodes import word

NOW = 1000.0


def _started(joins: tuple[str, ...] = (), known: tuple[str, ...] = ()) -> Joining:
    joining = Joining(joins, known)
    joining.start(NOW)
    return joining


def test_greets_those_whom_the_user_named_and_those_of_the_last_life_each_once() -> None:
    joining = _started(("s1", "s2", "s1"), ("k1", "s2", "k1"))
    assert joining.is_due(NOW)
    assert joining.greetings(NOW, []) == ["s1", "s2", "k1"]


def test_greets_every_second_while_it_starts_and_then_more_rarely() -> None:
    joining = _started(("s",))
    joining.greetings(NOW, [])
    assert not joining.is_due(NOW + GREET_S - 0.1)
    assert joining.is_due(NOW + GREET_S)
    joining.joined = True
    joining.greetings(NOW, [])
    assert not joining.is_due(NOW + GREET_AGAIN_S - 0.1)
    assert joining.is_due(NOW + GREET_AGAIN_S)


def test_whoever_the_user_named_is_greeted_for_ever() -> None:
    joining = _started(("s",))
    assert joining.greetings(NOW, ["s"]) == ["s"]
    assert joining.greetings(NOW + 1e6, ["s"]) == ["s"]


def test_whoever_was_known_is_greeted_until_it_turns_up() -> None:
    joining = _started((), ("a", "b"))
    joining.joined = True
    assert joining.greetings(NOW, ["b", "c"]) == ["a"]
    assert list(joining.known) == ["a"]
    assert joining.greetings(NOW + 1e6, []) == ["a"]
    assert joining.greetings(NOW + 1e6, ["a"]) == []


def test_before_the_start_is_over_members_are_greeted_too_a_few_of_them() -> None:
    joining = _started(("s",), ("a", "b"))
    assert joining.greetings(NOW, ["b", "c"]) == ["s", "a", "b", "c"]
    many = [f"k{number}" for number in range(GREETED_MAX + 1)]
    assert joining.greetings(NOW + GREET_S, many) == ["s", "a", *many[:-1]]
    assert list(joining.known) == ["a"]


def test_no_more_are_known_than_there_is_room_for() -> None:
    joining = _started((), tuple(f"k{number}" for number in range(KNOWN_MAX + 1)))
    assert len(joining.known) == KNOWN_MAX


def test_the_start_is_over_in_time_even_if_nobody_answers() -> None:
    for joining in (_started(("s",)), _started((), ("k",))):
        assert not joining.is_over(NOW + JOIN_S - 0.1)
        assert joining.is_over(NOW + JOIN_S)


def test_the_start_is_short_where_there_is_nobody_to_greet() -> None:
    joining = _started()
    assert not joining.is_over(NOW + JOIN_ALONE_S - 0.1)
    assert joining.is_over(NOW + JOIN_ALONE_S)
    joining.joined = True
    assert not joining.is_over(NOW + JOIN_ALONE_S)


def test_before_it_was_begun_the_start_is_not_over() -> None:
    assert not Joining((), ()).is_over(NOW)


def test_a_rival_has_some_time_to_answer() -> None:
    joining = _started()
    assert joining.contest(NOW, word("a"))
    assert joining.checking
    assert joining.rival == word("a")
    assert not joining.check_is_over(NOW + CHECK_S - 0.1)
    assert not joining.checked
    assert joining.check_is_over(NOW + CHECK_S)
    assert joining.checked
    assert not joining.checking
    assert not joining.check_is_over(NOW + CHECK_S)


def test_where_there_is_no_rival_no_check_is_over() -> None:
    assert not _started().check_is_over(NOW + 100.0)


def test_after_a_check_all_are_greeted_again_before_the_start_is_over() -> None:
    joining = _started()
    joining.contest(NOW + 0.5, word("a"))
    assert not joining.is_over(NOW + JOIN_S)
    joining.greetings(NOW + 1.9, [])
    over_at = NOW + 0.5 + CHECK_S
    assert joining.check_is_over(over_at)
    assert joining.is_due(over_at)
    assert not joining.is_over(over_at + GREET_S - 0.1)
    assert joining.is_over(over_at + GREET_S)


def test_a_check_does_not_shorten_the_start() -> None:
    joining = _started(("s",))
    joining.contest(NOW, word("a"))
    joining.check_is_over(NOW + CHECK_S)
    assert not joining.is_over(NOW + JOIN_S - 0.1)


def test_a_rival_that_is_known_to_be_gone_is_not_asked_nor_waited_for() -> None:
    joining = _started(("s",))
    assert not joining.contest(NOW + 0.1, word("a"), gone=True)
    assert joining.checking
    assert joining.check_is_over(NOW + 0.1)
    assert joining.is_due(NOW + 0.1)
    assert joining.rival == word("a")
    assert not joining.is_over(NOW + JOIN_S - 0.1)
    assert joining.is_over(NOW + JOIN_S)


def test_every_life_is_asked_once() -> None:
    joining = _started()
    assert joining.contest(NOW, word("a", boot=1))
    assert not joining.contest(NOW + 0.1, word("a", boot=2))
    joining.check_is_over(NOW + CHECK_S)
    assert not joining.contest(NOW + 2.0, word("a", boot=1, incarnation=4))
    assert joining.contest(NOW + 2.0, word("a", boot=2))


def test_of_many_that_were_known_a_few_are_greeted_at_a_time_and_all_in_turn() -> None:
    known = [f"tcp://k{number}:1" for number in range(2 * GREETED_MAX + 1)]
    joining = Joining(["tcp://named:1"], known)
    greeted = [joining.greetings(float(turn), []) for turn in range(3)]
    assert all(each[0] == "tcp://named:1" for each in greeted)
    assert greeted[0][1:] == known[:GREETED_MAX]
    assert greeted[1][1:] == known[GREETED_MAX:-1]
    assert greeted[2][1:] == [known[-1], *known[: GREETED_MAX - 1]]
