"""What a node makes of messages that come as they should not, and of calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cyme.core.branches import BranchState
from cyme.core.cluster.digests import Table
from cyme.core.cluster.effects import Effect, Perform, Send, Settle, Tell
from cyme.core.cluster.messages import (
    Answer,
    Buckets,
    Call,
    Digest,
    Items,
    Message,
    Missed,
    Ping,
    PingRequest,
    Pong,
    Rumours,
    Summaries,
    Welcome,
)
from cyme.core.cluster.node.ground import CONFRONTED_MAX
from cyme.core.model import BranchId
from tests.core.cluster import known
from tests.core.cluster.nodes import (
    ALIVE,
    FAILED,
    LEAVING,
    LEFT,
    SUSPECT,
    Branch,
    Network,
    beat,
    calls_at,
    hello,
    messages,
    profile,
    sender,
    word,
)

A = sender("a")


def _lone(*others: str) -> tuple[Network, Branch]:
    network = Network()
    me = network.add("me")
    network.run(1.0)
    for other in others:
        me.hear(hello(other))
    network.run(0.5)
    return network, me


# --- by the wrong way ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        hello("a"),
        Welcome(sender=A, admitted=True, statements=(word("b"),)),
        Ping(sender=A, number=1, target=BranchId("me"), about=None),
        Pong(sender=A, number=1, about=word("b")),
        PingRequest(sender=A, number=1, about=word("b")),
        Missed(sender=A, first=1, last=2),
        Digest(sender=A, digest=0),
        Buckets(sender=A, digests=(0,) * 64),
        Summaries(sender=A, buckets=(1,), summaries=()),
        Items(sender=A, items=(known.app("a"),)),
        Answer(sender=A, id="1", ok=True, value=b""),
    ],
    ids=lambda message: type(message).__name__,
)
def test_only_beats_and_rumours_are_published(message: Message) -> None:
    _, me = _lone()
    assert me.overhear(message) == []
    assert me.node.refused == 1


def test_beats_and_rumours_are_no_less_when_they_are_sent() -> None:
    _, me = _lone("a")
    assert me.hear(beat("a")) == []
    assert me.hear(Rumours(sender=A, number=1, rumours=())) == []
    assert me.node.refused == 0


def test_digests_of_another_number_of_buckets_are_not_answered() -> None:
    _, me = _lone("a")
    assert me.hear(Buckets(sender=A, digests=(1, 2, 3))) == []


def test_a_life_that_is_over_is_not_heard() -> None:
    network, me = _lone()
    me.hear(hello("a", boot=2))
    heard_at = me.node.heard_at("a")
    network.run(1.0)
    me.overhear(beat("a", boot=1))
    me.hear(Digest(sender=sender("a", boot=1), digest=me.node.digest))
    assert me.node.heard_at("a") == heard_at


def test_an_answer_to_no_question_counts_for_what_it_says() -> None:
    _, me = _lone("a")
    me.hear(Pong(sender=A, number=70, about=word("a", incarnation=3)))
    assert me.node.word("a") == word("a", incarnation=3)
    me.hear(Pong(sender=A, number=71, about=word("b", FAILED)))
    assert me.state("b") is FAILED


def test_an_answer_of_a_branch_that_there_is_no_room_for_is_no_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, me = _lone("a")
    monkeypatch.setattr("cyme.core.cluster.membership.MEMBERS_MAX", 1)
    (ping,) = messages(Ping, me.hear(Digest(sender=sender("x"), digest=me.node.digest)))
    assert me.hear(Pong(sender=sender("x"), number=ping.number, about=word("x"))) == []
    assert me.state("x") is None


def test_an_answer_of_an_earlier_life_is_no_sign_of_the_later() -> None:
    network, me = _lone("a")
    (sent,) = me.hear(PingRequest(sender=sender("b"), number=7, about=word("a")))[-1:]
    assert isinstance(sent, Send)
    assert isinstance(sent.message, Ping)
    me.hear(hello("a", boot=2, checked=True))
    heard_at = me.node.heard_at("a")
    network.run(1.0)
    me.hear(Pong(sender=sender("b"), number=sent.message.number, about=word("a")))
    assert me.node.heard_at("a") == heard_at


def test_only_so_many_branches_are_remembered_to_have_been_asked() -> None:
    network, me = _lone()
    for number in range(CONFRONTED_MAX + 5):
        assert me.node._may_confront(network.now, BranchId(f"a{number}"))
    assert len(me.node._confronted) == CONFRONTED_MAX
    assert me.node._may_confront(network.now, BranchId("a0"))
    assert not me.node._may_confront(network.now, BranchId(f"a{CONFRONTED_MAX}"))


# --- calls ---------------------------------------------------------------------------------------


def _call(branch: Branch, now: float, target: str) -> Sequence[Effect]:
    asked = branch.node.call(
        now,
        call="1",
        target=BranchId(target),
        method="apps.put",
        arguments=b"{}",
        timeout_s=10.0,
    )
    return branch.do(asked)


@pytest.mark.parametrize("state", [ALIVE, SUSPECT, LEAVING])
def test_a_branch_that_takes_part_is_asked_at_its_address_in_its_life(state: BranchState) -> None:
    network, me = _lone()
    said = word("a", boot=3)
    me.hear(Items(sender=sender("b"), items=(said,)))
    me.hear(Items(sender=sender("b"), items=(replace(said, state=state),)))
    (sent,) = _call(me, network.now, "a")
    assert isinstance(sent, Send)
    assert sent.endpoint == calls_at("a")
    assert isinstance(sent.message, Call)
    assert (sent.message.target, sent.message.target_boot) == ("a", 3)


@pytest.mark.parametrize(
    ("state", "why"),
    [(None, "not known"), (FAILED, "failed"), (LEFT, "left")],
)
def test_a_call_to_a_branch_that_is_not_there_ends_at_once(
    state: BranchState | None, why: str
) -> None:
    network, me = _lone()
    if state is not None:
        me.hear(Items(sender=sender("b"), items=(word("a", state),)))
    assert _call(me, network.now, "a") == [
        Settle("1", ok=False, value=None, why=f"branch 'a' is {why}")
    ]


def test_a_call_is_performed_by_the_other_and_answered() -> None:
    network = Network()
    one, other = network.cluster(2)
    _call(one, network.now, "b1")
    network.run(0.01)
    (asked,) = other.did(Perform)
    assert (asked.call, asked.method, asked.arguments, asked.origin) == (
        "1",
        "apps.put",
        b"{}",
        "b0",
    )
    other.do(other.node.on_performed(network.now, "1", ok=True, value=b"done"))
    network.run(0.01)
    assert one.did(Settle) == [Settle("1", ok=True, value=b"done")]


def test_a_call_that_gets_no_answer_is_tried_again_and_ends_in_time() -> None:
    network = Network()
    one, other = network.cluster(2)
    _call(one, network.now, "b1")
    network.run(11.0)
    assert len(one.said(Call)) > 1
    assert len(other.did(Perform)) == 1
    assert one.did(Settle) == [
        Settle(
            "1",
            ok=False,
            value=None,
            why="branch 'b1' did not answer within 10.0 s",
            in_doubt=True,
        )
    ]


def test_a_call_ends_when_its_target_fails_leaves_or_begins_another_life() -> None:
    for end in (word("a", FAILED), word("a", LEFT), word("a", boot=2)):
        network, me = _lone("a")
        _call(me, network.now, "a")
        me.hear(Items(sender=sender("b"), items=(end,)))
        (settled,) = me.did(Settle)
        assert settled.in_doubt


# --- what is told --------------------------------------------------------------------------------


def test_what_becomes_of_a_branch_is_told_once_in_words() -> None:
    _, me = _lone()
    for said in (
        word("a"),
        word("a", incarnation=1),
        word("a", SUSPECT, by="b", incarnation=1),
        word("a", incarnation=2),
        word("a", FAILED, by="b", incarnation=2),
        word("a", boot=2, at="h2"),
        word("a", LEAVING, boot=2, incarnation=1, at="h2"),
        word("a", LEFT, boot=2, incarnation=2, at="h2"),
    ):
        me.hear(Items(sender=sender("b"), items=(said,)))
    assert [(tell.kind, tell.reason) for tell in me.did(Tell)] == [
        ("branch.joined", "branch 'a' is in the cluster, at tcp://a:1"),
        ("branch.suspect", "branch 'a' is silent, says 'b'"),
        ("branch.returned", "branch 'a' is back at tcp://a:1"),
        ("branch.failed", "branch 'a' has failed, says 'b'; it was at tcp://a:1"),
        ("branch.returned", "branch 'a' is back at tcp://h2:1"),
        ("branch.leaving", "branch 'a' is about to stop"),
        ("branch.left", "branch 'a' stopped as it was asked to"),
    ]
    assert all(tell.data == {"branch": "a"} for tell in me.did(Tell))


def test_a_restart_that_nobody_missed_is_told_too() -> None:
    _, me = _lone("a")
    me.hear(hello("a", boot=2, checked=True))
    assert me.told() == ["branch.joined", "branch.returned"]


# --- what is known -------------------------------------------------------------------------------


def test_a_node_knows_itself() -> None:
    network = Network()
    one = network.add("a", boot=4)
    assert one.node.me == "a"
    assert one.node.statement == word("a", boot=4)
    assert list(one.node.statements()) == [word("a", boot=4)]
    assert one.state("a") is ALIVE
    assert one.node.lag_s == 0.0
    table = Table()
    table.put(one.node.statement)
    assert one.node.digest == table.digest
    assert profile("a") == one.node.statement.profile
    assert not one.node.keeps("w")


def test_all_members_are_told_in_order() -> None:
    _, me = _lone("z", "a", "n")
    assert [said.branch for said in me.node.statements()] == ["a", "me", "n", "z"]
