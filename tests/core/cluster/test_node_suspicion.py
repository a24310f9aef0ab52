"""Who suspects whom, how that is refuted, and when a branch doubts itself."""

from __future__ import annotations

import pytest

from cyme.core.cluster.detection import SILENCE_S
from cyme.core.cluster.effects import Reply, Send
from cyme.core.cluster.messages import Ping, PingRequest, Pong, Rumours
from cyme.core.cluster.plausibility import COUNT_JUMP_MAX
from tests.core.cluster.detecting import FAILED_S_MAX, lone, unanimous
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    SUSPECT,
    Network,
    agree,
    beat,
    calls_at,
    rumour,
    sender,
    word,
)

# --- suspicion and refutation --------------------------------------------------------------------


def test_a_suspect_is_told_at_once_and_refutes() -> None:
    network = Network()
    branches = network.cluster(4)
    network.run(2.0)
    *others, paused = branches
    network.pause(paused)
    network.run(6.0)
    assert unanimous(others, paused, SUSPECT)
    network.wake(paused)
    network.run(0.3)
    assert agree(branches)
    assert paused.node.statement.incarnation == 1
    assert [other.node.word(paused.id) for other in others] == [paused.node.statement] * 3
    assert all(other.told()[-2:] == ["branch.suspect", "branch.returned"] for other in others)


def test_only_a_branch_itself_raises_its_incarnation() -> None:
    network = Network()
    branches = network.cluster(6)
    for number in range(12):
        one = branches[number % 6]
        network.pause(one)
        network.run(3.0 + number)
        network.wake(one)
        network.run(1.0)
        for said in (said for branch in branches for said in branch.node.statements()):
            subject = next(branch for branch in branches if branch.id == said.branch)
            assert said.incarnation <= subject.node.statement.incarnation
    network.run(5.0)
    assert agree(branches)


def test_a_word_with_an_incarnation_that_the_branch_never_had_is_outdone() -> None:
    _network, me = lone("a")
    said = word("me", SUSPECT, by="a", incarnation=COUNT_JUMP_MAX)
    me.hear(Ping(sender=sender("a"), number=1, target=me.id, about=said))
    assert me.node.refused == 0
    assert me.node.statement.incarnation == COUNT_JUMP_MAX + 1


def test_a_word_with_an_incarnation_that_no_branch_comes_to_is_refused() -> None:
    _network, me = lone("a")
    said = word("me", SUSPECT, by="a", incarnation=COUNT_JUMP_MAX + 1)
    me.hear(Ping(sender=sender("a"), number=1, target=me.id, about=said))
    assert me.node.refused == 1
    assert me.node.statement.incarnation == 0


def test_a_refutation_goes_back_at_once_and_to_all() -> None:
    network, me = lone("a")
    network.run(1.0)
    ping = Ping(sender=sender("a"), number=5, target=me.id, about=word("me", FAILED, by="a"))
    effects = me.hear(ping, b"way back")
    refuted = me.node.statement
    assert (refuted.incarnation, refuted.state) == (1, ALIVE)
    answers = [each.message for each in effects if isinstance(each, Reply)]
    assert [(each.number, each.about) for each in answers if isinstance(each, Pong)] == [
        (0, refuted),
        (5, refuted),
    ]
    (told,) = me.said(Rumours, network.now)
    assert [each.item for each in told.rumours] == [refuted]


def test_a_rumour_against_a_branch_is_refuted_as_a_rumour() -> None:
    network, me = lone("a")
    network.run(1.0)
    said = word("me", SUSPECT, by="b")
    effects = me.overhear(Rumours(sender=sender("a"), number=9, rumours=(rumour("b", 1, said),)))
    assert not [each for each in effects if isinstance(each, Reply)]
    assert me.node.statement.incarnation == 1
    (told,) = me.said(Rumours, network.now)
    assert [each.item for each in told.rumours] == [said, me.node.statement]


def test_a_milder_or_an_older_word_is_not_refuted() -> None:
    _network, me = lone("a")
    me.hear(Ping(sender=sender("a"), number=1, target=me.id, about=word("me", SUSPECT, by="a")))
    assert me.node.statement.incarnation == 1
    for said in (word("me", FAILED, by="a"), word("me", incarnation=1)):
        me.hear(Ping(sender=sender("a"), number=2, target=me.id, about=said))
    assert me.node.statement.incarnation == 1


def test_a_branch_that_has_to_refute_holds_itself_to_be_slow() -> None:
    network = Network()
    branches = network.cluster(3)
    one = branches[0]
    one.hear(Ping(sender=sender("b1"), number=1, target=one.id, about=word("b0", SUSPECT, by="b1")))
    network.run(0.5)
    began = network.now
    network.kill(branches[2])
    network.run(5.5)
    assert one.node.word("b2") == word("b2", SUSPECT, by="b1")
    assert branches[1].said(PingRequest, began) != []
    assert one.said(PingRequest, began) == []
    network.run(3.0)
    assert one.said(PingRequest, began) != []


def test_whoever_learns_of_a_suspicion_asks_the_suspect_but_not_all_the_time() -> None:
    _network, me = lone("a", "b")
    effects = me.overhear(
        Rumours(sender=sender("a"), number=1, rumours=(rumour("a", 1, word("b", SUSPECT, by="a")),))
    )
    assert [(each.endpoint, each.message) for each in effects if isinstance(each, Send)] == [
        (
            calls_at("b"),
            Ping(
                sender=sender("me"),
                number=1,
                target=word("b").branch,
                about=word("b", SUSPECT, by="a"),
            ),
        )
    ]
    again = me.overhear(
        Rumours(
            sender=sender("a"),
            number=2,
            rumours=(rumour("a", 2, word("b", FAILED, by="a")),),
        )
    )
    assert not [each for each in again if isinstance(each, Send)]


@pytest.mark.parametrize(
    # It is silent here too, so this branch is one more to accuse it, after 5.1 s.
    ("accusers", "expected_s"),
    [(0, 8.0), (1, 5.7), (2, 5.1), (3, 4.0), (4, 4.0)],
)
def test_the_more_accuse_a_branch_the_sooner_it_has_failed(
    accusers: int, expected_s: float
) -> None:
    others = [f"a{number}" for number in range(8)]
    network, me = lone("x", *others)
    began = network.now
    for accuser in others[: accusers + 1]:
        accusation = rumour(accuser, 1, word("x", SUSPECT, by=accuser))
        me.overhear(Rumours(sender=sender(accuser), number=1, rumours=(accusation,)))

    def failed() -> bool:
        for other in others:
            me.overhear(beat(other))
        return me.state("x") is FAILED

    network.until(failed, 13.0)
    assert network.now - began == pytest.approx(expected_s, abs=0.15)


# --- first hand ----------------------------------------------------------------------------------


def test_first_hand_evidence_beats_hearsay() -> None:
    network = Network()
    branches = network.cluster(4)
    network.run(2.0)
    near, far, other, one = branches
    # Nobody but one branch can hear it, and it hears nobody.
    network.cut([one], [far, other])
    network.cut([near], [one], back=False)
    network.run(15.0)
    assert unanimous([far, other], one, FAILED)
    assert near.state(one) is SUSPECT
    network.kill(one)
    network.until(lambda: near.state(one) is FAILED, FAILED_S_MAX)


def test_a_branch_whose_failure_is_disputed_is_told_of_it() -> None:
    network, me = lone("a", "b")
    network.run(1.0)
    me.overhear(beat("b"))
    network.run(1.0)
    said = word("b", FAILED, by="a")
    effects = me.overhear(Rumours(sender=sender("a"), number=1, rumours=(rumour("a", 1, said),)))
    assert me.state("b") is ALIVE
    (ping,) = [each.message for each in effects if isinstance(each, Send)]
    assert isinstance(ping, Ping)
    assert (ping.target, ping.about) == ("b", said)
    assert said in [each.item for message in me.said(Rumours) for each in message.rumours]


# --- oneself -------------------------------------------------------------------------------------


def test_whoever_hears_nobody_doubts_itself_before_it_accuses() -> None:
    network = Network()
    branches = network.cluster(5)
    network.run(2.0)
    one, *others = branches
    network.cut([one], others)
    began = network.now
    network.run(6.5)  # the last beat came before the cut, and the next one comes after it
    assert "branch.suspect" not in one.told(began)
    assert unanimous(others, one, SUSPECT) or unanimous(others, one, FAILED)
    network.heal()
    network.run(15.0)
    assert agree(branches)
    assert "branch.suspect" not in one.told(began)
    assert all(each.told(began).count("branch.suspect") == 1 for each in others)


def test_where_most_die_at_once_they_are_missed_all_the_same_and_patience_does_not_stay() -> None:
    network = Network()
    one, *dead = network.cluster(3)
    network.run(2.0)
    network.kill(*dead)
    network.until(lambda: all(one.state(each) is FAILED for each in dead), 25.0)
    back = [network.restart(each) for each in dead]
    network.run(40.0)
    network.kill(back[0])
    network.until(lambda: one.state(back[0]) is FAILED, FAILED_S_MAX)


def test_after_a_stall_a_branch_accuses_nobody_and_is_soon_itself_again() -> None:
    network = Network()
    branches = network.cluster(4)
    network.run(2.0)
    one, *others = branches
    network.pause(one)
    network.run(60.0)
    assert unanimous(others, one, FAILED)
    began = network.now
    network.wake(one)
    network.until(lambda: agree(branches), 1.0)
    network.run(20.0)
    assert one.told(began) == ["branch.stalled", "branch.acts"]
    assert all(other.told(began) == ["branch.returned"] for other in others)


@pytest.mark.parametrize("stall_s", [1.0, 60.0])
def test_after_a_stall_silence_begins_anew_and_may_last_longer(stall_s: float) -> None:
    network, me = lone("a")
    network.run(2.5)
    network.pause(me)
    network.run(stall_s)
    network.wake(me)

    def probed() -> bool:
        return any(ping.about is not None for ping in me.said(Ping, network.now))

    # Who was late holds itself to be slow.
    assert network.until(probed, 10.0) == pytest.approx(2 * SILENCE_S, abs=0.2)


def test_all_branches_of_a_machine_that_stood_still_go_on_as_if_nothing_had_been() -> None:
    network = Network()
    branches = network.cluster(4)
    network.run(2.0)
    network.pause(*branches)
    network.run(600.0)
    began = network.now
    network.wake(*branches)
    network.run(30.0)
    assert agree(branches)
    assert [branch.node.statement.incarnation for branch in branches] == [0] * 4
    assert all(branch.told(began) == ["branch.stalled", "branch.acts"] for branch in branches)


def test_a_suspicion_lasts_longer_by_a_stall_of_whoever_suspects() -> None:
    network = Network()
    one, other = network.cluster(2)
    network.run(2.0)
    network.kill(other)
    network.until(lambda: one.state(other) is SUSPECT, FAILED_S_MAX)
    network.pause(one)
    network.run(5.0)
    network.wake(one)
    assert one.state(other) is SUSPECT
    network.run(3.5)
    assert one.state(other) is SUSPECT
    network.run(0.5)
    assert one.state(other) is FAILED


def test_branches_with_a_bad_time_are_not_declared_failed_by_each_other() -> None:
    network = Network()
    branches = network.cluster(6)
    network.run(2.0)
    for number in range(20):
        pausing = branches[number % 2]
        network.pause(pausing)
        network.run(3.0 + number % 4)
        network.wake(pausing)
        network.run(2.0)
    assert not any("branch.failed" in branch.told() for branch in branches)
    network.run(2.0)
    assert agree(branches)


def test_whoever_was_accused_in_vain_is_accused_again_when_it_is_needed() -> None:
    # One cannot reach the branch, nor can those that it asks to; the other branch can.
    network = Network()
    one, other, subject = network.cluster(3)
    network.run(2.0)
    network.cut([one], [subject])
    network.loses = lambda source, target, message: (
        source is one and isinstance(message, PingRequest)
    )
    network.until(lambda: one.state(subject) is SUSPECT, FAILED_S_MAX)
    network.until(lambda: one.state(subject) is ALIVE, 1.0)
    network.kill(other, subject)
    network.until(lambda: one.state(subject) is FAILED, 30.0)
