"""Two branches of one id: a copied directory, a mistake of the user, or a lost counter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cyme.core.cluster.effects import Reply
from cyme.core.cluster.joining import CHECK_S
from cyme.core.cluster.messages import Hello, Ping, Pong, Rumours, Welcome
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    LINK,
    SUSPECT,
    Branch,
    Network,
    agree,
    hello,
    messages,
    profile,
    rumour,
    sender,
    word,
)


def _joined(network: Network, id_: str = "x", **settings: object) -> Branch:
    branch = network.add(id_, **settings)
    network.run(1.0)
    assert branch.node.joined
    return branch


# --- at the start --------------------------------------------------------------------------------


@pytest.mark.parametrize("boot", [1, 2, 70])
def test_a_copy_of_a_living_branch_refuses_to_start_and_the_branch_goes_on(boot: int) -> None:
    network = Network()
    branches = network.cluster(3)
    copy = network.add("b1", at="elsewhere", boot=boot, joins=[branches[0]])
    network.until(lambda: copy.halted is not None, 1.0)
    assert copy.halted is not None
    assert "tcp://b1:1" in copy.halted
    assert "tcp://elsewhere:1" in copy.halted
    assert not copy.node.joined
    network.run(30.0)
    assert agree(branches)
    assert all(branch.halted is None for branch in branches)
    assert all(branch.node.word("b1") == branches[1].node.statement for branch in branches)


def test_the_addresses_of_the_apis_are_named_where_there_are_any() -> None:
    network = Network()
    one = _joined(network, at="h1", url="http://h1:8000")
    copy = network.add("x", at="h2", url="http://h2:9000")
    copy.find(one)
    network.run(0.5)
    assert copy.halted is not None
    assert copy.halted.startswith(
        "Another branch 'x' is alive at tcp://h1:1 (http://h1:8000), and this one is at "
        "tcp://h2:1 (http://h2:9000). A branch id is unique in its cluster."
    )


def test_a_copy_that_greets_the_branch_itself_is_refused() -> None:
    network = Network()
    one = _joined(network, at="h1")
    copy = network.add("x", at="h2", boot=2, joins=[one])
    network.until(lambda: copy.halted is not None, 0.1)
    assert one.halted is None
    assert one.sees() == {"x": ALIVE}


def test_a_copy_is_told_who_is_there_and_that_it_is_in_company() -> None:
    network = Network()
    one = _joined(network)
    greeting = hello("x", at="h2", nonce="other")
    assert messages(Welcome, one.hear(greeting)) == [
        Welcome(sender=sender("x"), admitted=False, statements=(one.node.statement,))
    ]
    one.hear(hello("y"))
    assert messages(Welcome, one.hear(greeting)) == [
        Welcome(sender=sender("x"), admitted=False, statements=(one.node.statement, word("y")))
    ]


def test_a_branch_that_hears_itself_is_no_rival() -> None:
    network = Network()
    one = _joined(network)
    mine = Hello(sender=sender("x"), profile=one.node.statement.profile, checked=False)
    welcome = Welcome(sender=sender("x"), admitted=False, statements=(one.node.statement,))
    assert one.hear(mine) == []
    assert one.hear(welcome) == []
    assert one.hear(Pong(sender=sender("x"), number=1, about=one.node.statement)) == []
    assert one.overhear(Rumours(sender=sender("x"), number=1, rumours=())) == []
    assert one.hear(Rumours(sender=sender("x"), number=1, rumours=())) == []


def test_two_that_are_both_starting_do_not_drive_each_other_out() -> None:
    network = Network()
    one, other = network.add("x", at="h1"), network.add("x", at="h2", boot=2)
    one.find(other)
    other.find(one)
    network.run(0.5)
    assert (one.halted, other.halted) == (None, None)
    network.run(0.5)
    one.find(other)
    other.find(one)
    network.run(0.5)
    assert [branch.halted is None for branch in (one, other)].count(True) == 1


def test_a_word_of_another_branch_in_a_welcome_or_an_answer_is_no_rival() -> None:
    network = Network()
    one = _joined(network)
    assert one.hear(Pong(sender=sender("x"), number=1, about=word("y", nonce="other"))) == []
    said = Welcome(sender=sender("x"), admitted=False, statements=(word("y", nonce="other"),))
    assert one.hear(said) == []


# --- the last life -------------------------------------------------------------------------------


def test_the_last_life_that_does_not_answer_is_outlived() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.kill(killed)
    network.run(0.5)
    again = network.restart(killed, at="elsewhere")
    took_s = network.until(lambda: again.node.joined, 5.0)
    assert CHECK_S <= took_s < CHECK_S + 0.2
    assert again.node.statement.boot == 2
    network.run(5.0)
    assert agree([*others, again])


def test_the_last_life_at_the_same_address_is_not_waited_for() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.kill(killed)
    network.run(0.5)
    again = network.restart(killed)
    assert network.until(lambda: again.node.joined, 5.0) < 0.2
    assert [ping for ping in again.said(Ping) if ping.target == again.id] == []
    network.run(5.0)
    assert agree([*others, again])


@pytest.mark.parametrize("away_s", [0.5, 20.0])
@pytest.mark.parametrize("at", ["b2", "elsewhere"])
def test_a_branch_that_lost_its_counter_begins_beyond_the_life_that_others_know(
    away_s: float, at: str
) -> None:
    network = Network()
    *others, killed = network.cluster(3)
    for _ in range(8):  # so that its first life has told more than the next one will
        killed.do(killed.node.change_profile(network.now, profile("b2")))
        network.run(0.5)
    network.kill(killed)
    later = network.restart(killed, boot=7)
    network.run(5.0)
    network.kill(later)
    network.run(away_s)
    reset = network.restart(later, at=at, boot=1, nonce="new", known=(), joins=[others[0]])
    network.until(lambda: agree([*others, reset]), 5.0)
    assert reset.node.statement.boot == 8
    assert reset.halted is None
    network.run(5.0)
    # What it says is heard as the news of that life.
    reset.do(reset.node.change_profile(network.now, replace(profile(at, "new"), drained=True)))
    network.run(0.5)
    assert agree([*others, reset])


def test_the_same_boot_with_another_nonce_is_another_life() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.kill(killed)
    again = network.restart(killed, boot=1)
    network.until(lambda: agree([*others, again]), 5.0)
    assert again.node.statement.boot == 2


def test_a_life_that_has_failed_long_ago_is_not_asked() -> None:
    network = Network()
    *others, killed = network.cluster(3)
    network.kill(killed)
    network.run(20.0)
    again = network.restart(killed, at="elsewhere")
    assert network.until(lambda: agree([*others, again]), 1.0) < 0.5
    assert not again.node._joining.checked


# --- later ---------------------------------------------------------------------------------------


def _apart(network: Network, boots: Sequence[int], company: Sequence[int]) -> list[list[Branch]]:
    """Bring up two branches of one id, and so many others that join each of them."""
    rivals = [network.add("x", at=f"h{n}", boot=boot) for n, boot in enumerate(boots)]
    sides = [
        [rival, *(network.add(f"{rival.host}-{n}", joins=[rival]) for n in range(count))]
        for rival, count in zip(rivals, company, strict=True)
    ]
    network.run(5.0)
    return sides


def _left(network: Network, sides: list[list[Branch]]) -> Branch:
    """Wait until one of the rivals is left; all others are to agree on it."""
    rivals = [side[0] for side in sides]
    network.until(lambda: any(rival.halted for rival in rivals), 30.0)
    network.run(30.0)
    (left,) = [rival for rival in rivals if not rival.halted]
    assert agree([left, *(branch for side in sides for branch in side[1:])])
    return left


@pytest.mark.parametrize("boots", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("company", [(2, 2), (2, 0), (0, 2)])
def test_of_two_whose_clusters_meet_one_gives_way(
    boots: tuple[int, int], company: tuple[int, int]
) -> None:
    network = Network()
    sides = _apart(network, boots, company)
    sides[0][-1].find(sides[1][-1])
    left = _left(network, sides)
    if company == (2, 2) and boots != (1, 1):
        assert left.settings.boot == 2


@pytest.mark.parametrize("boots", [(1, 1), (1, 2), (2, 1)])
@pytest.mark.parametrize("company", [(1, 0), (0, 1)])
@pytest.mark.parametrize("finder", [0, 1])
def test_of_two_that_meet_the_one_that_is_alone_gives_way(
    boots: tuple[int, int], company: tuple[int, int], finder: int
) -> None:
    network = Network()
    sides = _apart(network, boots, company)
    sides[finder][0].find(sides[1 - finder][0])
    left = _left(network, sides)
    assert left is sides[company.index(1)][0]


@pytest.mark.parametrize("boots", [(1, 2), (2, 1)])
@pytest.mark.parametrize("finder", [0, 1])
def test_of_two_that_are_both_alone_the_earlier_life_gives_way(
    boots: tuple[int, int], finder: int
) -> None:
    network = Network()
    sides = _apart(network, boots, (0, 0))
    sides[finder][0].find(sides[1 - finder][0])
    assert _left(network, sides).settings.boot == 2


def test_where_another_life_may_be_alive_it_is_asked_once() -> None:
    network = Network()
    one = _joined(network)
    one.hear(hello("y"))
    other = word("x", boot=2, at="h2")

    def hears_of(said: object, number: int) -> list[Ping]:
        told = Rumours(
            sender=sender("y"),
            number=number,
            rumours=(rumour("y", number, said),),  # type: ignore[arg-type]
        )
        return messages(Ping, one.overhear(told))

    (ping,) = hears_of(other, 1)
    assert (ping.target, ping.about) == ("x", None)
    assert hears_of(other, 2) == []
    assert one.halted is None
    network.run(CHECK_S + 0.2)
    assert one.node.statement.boot == 3
    assert hears_of(other, 3) == []


def test_an_earlier_life_of_ones_own_is_no_rival() -> None:
    network = Network()
    one = _joined(network, boot=3)
    for number, said in enumerate([word("x", boot=2, at="h2"), word("x", FAILED, boot=2)]):
        told = Rumours(sender=sender("y"), number=number + 1, rumours=(rumour("y", number, said),))
        assert messages(Ping, one.overhear(told)) == []
    assert one.node.statement == word("x", boot=3)


def test_whoever_is_not_let_in_after_it_has_joined_makes_sure_of_the_other() -> None:
    network = Network()
    one = _joined(network, boot=3)
    said = word("x", boot=2, at="h2")
    welcome = Welcome(sender=sender("y"), admitted=False, statements=(said, word("z")))
    (ping,) = messages(Ping, one.hear(welcome))
    assert ping.target == "x"
    assert one.state("z") is ALIVE
    network.run(CHECK_S + 0.2)
    assert one.node.statement.boot == 3
    (hello_again,) = [
        effect for effect in one.find(network.make("y")) if hasattr(effect, "message")
    ]
    assert hello_again.message.checked  # type: ignore[union-attr]


def test_whoever_is_let_in_while_it_makes_sure_of_another_waits_for_the_answer() -> None:
    network = Network()
    one = network.add("x", boot=3, joins=["y", "z"])
    said = word("x", boot=2, at="h2")
    one.hear(Welcome(sender=sender("y"), admitted=False, statements=(said,)))
    one.hear(Welcome(sender=sender("z"), admitted=True, statements=(word("z"),)))
    assert not one.node.joined
    rival = Welcome(sender=sender("x", 2), admitted=False, statements=(said,))
    one.hear(rival)
    assert one.halted is not None


def test_a_rival_that_has_to_give_way_is_told_so_but_not_at_every_message() -> None:
    network = Network()
    one = _joined(network, boot=2)
    said = Pong(sender=sender("x"), number=1, about=word("x", boot=1, at="h2"))
    assert one.hear(said) == [
        Reply(LINK, Welcome(sender=sender("x", 2), admitted=False, statements=(word("x", boot=2),)))
    ]
    assert one.hear(said) == []
    network.run(1.1)
    assert len(one.hear(said)) == 1
    assert one.halted is None


# --- whom others let in --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "greeting", "admitted"),
    [
        (word("x"), hello("x"), True),  # the same life again
        (word("x"), hello("x", boot=2, at="h2"), False),  # it may be alive
        (word("x", SUSPECT, by="y"), hello("x", boot=2, at="h2"), False),
        (word("x"), hello("x", boot=2, at="h2", checked=True), True),
        (word("x", FAILED, by="y"), hello("x", boot=2, at="h2"), True),
        (word("x", boot=2), hello("x", boot=1, at="h2", checked=True), False),  # it counts less
        (word("x", FAILED, by="y", boot=2), hello("x", boot=1, at="h2"), False),
        (word("x"), hello("x", boot=1, at="h2", checked=True), False),
    ],
)
def test_who_greets_is_let_in_where_it_is_sure_to_be_the_only_one(
    known: object, greeting: Hello, admitted: bool
) -> None:
    network = Network()
    one = network.add("a")
    network.run(1.0)
    statements = (word("y"), known)
    one.hear(Welcome(sender=sender("y"), admitted=True, statements=statements))  # type: ignore[arg-type]
    (welcome,) = messages(Welcome, one.hear(greeting))
    assert welcome.admitted is admitted
    assert welcome.statements == ((one.node.statement,) if admitted else (known,))
    said = one.node.word("x")
    assert said is not None
    assert said.profile == greeting.profile if admitted else said == known
