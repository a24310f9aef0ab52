from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster import repair
from cyme.core.cluster.digests import Table
from cyme.core.cluster.effects import Effect, Reply, Send
from cyme.core.cluster.items import BUCKETS, Item, Key, bucket_of, joined, key_of
from cyme.core.cluster.messages import (
    ITEMS_MAX,
    STATEMENTS_MAX,
    SUMMARIES_MAX,
    Buckets,
    Digest,
    Directed,
    Items,
    Sender,
    Summaries,
)
from cyme.core.cluster.repair import (
    ITEMS_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    MESSAGES_MAX,
    SUMMARIES_BYTES_MAX,
    Repair,
)
from cyme.core.model import BranchId
from tests.core.cluster import known

_M = TypeVar("_M", bound=Directed)


class Branch:
    """A table and its repair; whoever it is linked to is named by the link."""

    def __init__(
        self,
        name: str,
        items: Sequence[Item] = (),
        size_of: Callable[[Item], int] = lambda _: 400,
    ) -> None:
        self.me = Sender(BranchId(name), 1, 0)
        self.table = Table()
        self.repair = Repair(self.table, size_of)
        self.refused: set[Key] = set()
        self.take_in(items)

    def take_in(self, items: Sequence[Item]) -> None:
        for item in items:
            if key_of(item) not in self.refused:
                self.table.put(joined(self.table.get(key_of(item)), item))

    def hear(self, link: bytes, message: Directed) -> list[Effect]:
        match message:
            case Digest():
                return self.repair.on_digest(self.me, link, message)
            case Buckets():
                return self.repair.on_buckets(self.me, link, message)
            case Summaries():
                return self.repair.on_summaries(self.me, link, message)
            case Items():
                new, effects = self.repair.on_items(self.me, link, message)
                self.take_in(new)
                return effects
        raise AssertionError(message)

    def known(self) -> dict[Key, Item]:
        keys = (key for bucket in range(BUCKETS) for key in self.table.keys_in(bucket))
        return {key: item for key in keys if (item := self.table.get(key)) is not None}


class Network:
    """Carries messages between branches in any order; some are lost, some come twice."""

    def __init__(self, branches: Sequence[Branch], *, seed: int = 0, faults: float = 0.0) -> None:
        self.branches = {branch.me.branch: branch for branch in branches}
        self.chance = random.Random(seed)
        self.faults = faults
        self.carried: list[Directed] = []

    def exchange(self, begins: Branch, other: Branch) -> None:
        """Have an exchange begun, and carry what comes of it until nothing is under way."""
        begun = begins.repair.begin(begins.me, other.me.branch)
        waiting = [(begins.me.branch, effect) for effect in begun]
        while waiting:
            # Without faults in order, so that what is told in tests can be read.
            place = self.chance.randrange(len(waiting)) if self.faults else 0
            source, effect = waiting.pop(place)
            assert isinstance(effect, Send | Reply)
            if self.chance.random() < self.faults:
                continue
            if self.chance.random() < self.faults / 2:
                waiting.append((source, effect))
            self.carried.append(effect.message)
            target = effect.endpoint if isinstance(effect, Send) else effect.link.decode()
            answers = self.branches[BranchId(target)].hear(source.encode(), effect.message)
            assert all(isinstance(answer, Reply) for answer in answers)
            assert len(answers) <= MESSAGES_MAX
            waiting += [(BranchId(target), answer) for answer in answers]

    def told(self, kind: type[_M]) -> list[_M]:
        return [message for message in self.carried if isinstance(message, kind)]


def _join(items: Sequence[Item]) -> dict[Key, Item]:
    def put(known: dict[Key, Item], item: Item) -> dict[Key, Item]:
        return {**known, key_of(item): joined(known.get(key_of(item)), item)}

    return reduce(put, items, {})


def _apps(count: int, time_ms: int = 1, prefix: str = "a") -> list[Item]:
    return [known.app(f"{prefix}{number}", time_ms) for number in range(count)]


# --- what an exchange comes to -------------------------------------------------------------------


@given(st.lists(known.items, max_size=30), st.lists(known.items, max_size=30))
def test_one_exchange_makes_two_branches_know_all_that_either_did(
    mine: list[Item], theirs: list[Item]
) -> None:
    a, b = Branch("a", mine), Branch("b", theirs)
    Network([a, b]).exchange(a, b)
    assert a.known() == b.known() == _join(mine + theirs)
    assert a.table.digest == b.table.digest


@given(
    st.lists(st.lists(known.items, max_size=30), min_size=2, max_size=3),
    st.integers(0, 2**32),
    st.sampled_from([0.1, 0.3, 0.5]),
)
def test_branches_come_to_know_the_same_whatever_is_lost_doubled_or_late(
    knowledge: list[list[Item]], seed: int, faults: float
) -> None:
    branches = [Branch(name, items) for name, items in zip("abc", knowledge, strict=False)]
    network = Network(branches, seed=seed, faults=faults)
    for _ in range(500):
        if len({branch.table.digest for branch in branches}) == 1:
            break
        network.exchange(*network.chance.sample(branches, 2))
    expected = _join([item for items in knowledge for item in items])
    for branch in branches:
        assert branch.known() == expected


def test_branches_that_know_the_same_say_no_more_than_that() -> None:
    a, b = Branch("a", _apps(100)), Branch("b", _apps(100))
    network = Network([a, b])
    network.exchange(a, b)
    assert network.carried == [Digest(sender=a.me, digest=a.table.digest)]


def test_an_exchange_about_one_item_tells_of_its_bucket_and_sends_it_once_each_way() -> None:
    mine, theirs = known.instance("w", time_ms=2), known.instance("w", epoch=2)
    a, b = Branch("a", [*_apps(500), mine]), Branch("b", [*_apps(500), theirs])
    network = Network([a, b])
    network.exchange(a, b)
    bucket = bucket_of(key_of(mine))
    assert [message.buckets for message in network.told(Summaries)] == [(bucket,)]
    assert network.told(Items) == [
        Items(sender=b.me, items=(theirs,), wanted=(key_of(mine),)),
        Items(sender=a.me, items=(mine,), wanted=()),
    ]
    (both,) = a.table.items_of(type(mine))
    assert (both.epoch, both.stamp.time_ms) == (2, 2)
    assert b.known() == a.known()


def test_whoever_knows_nothing_is_told_all() -> None:
    for a, b in [(Branch("a"), Branch("b", _apps(10))), (Branch("a", _apps(10)), Branch("b"))]:
        Network([a, b]).exchange(a, b)
        assert a.known() == b.known() == _join(_apps(10))


def test_what_was_heard_of_branches_lately_is_told_at_the_beginning() -> None:
    a = Branch("a")
    ages = [(BranchId(f"b{number}"), float(number)) for number in range(STATEMENTS_MAX + 1)]
    (effect,) = a.repair.begin(a.me, "tcp://b:1", ages)
    assert effect == Send(
        "tcp://b:1",
        Digest(sender=a.me, digest=a.table.digest, ages_s=tuple(ages[:STATEMENTS_MAX])),
    )


# --- what makes no sense, or is not new ----------------------------------------------------------


def test_digests_of_another_number_of_buckets_are_not_compared() -> None:
    a = Branch("a", _apps(10))
    assert a.hear(b"b", Buckets(sender=a.me, digests=(0,) * (BUCKETS - 1))) == []
    assert a.hear(b"b", Buckets(sender=a.me, digests=a.table.digests())) == []
    assert a.hear(b"b", Buckets(sender=a.me, digests=(0,) * BUCKETS)) != []


def test_buckets_that_there_are_not_are_passed_over() -> None:
    a = Branch("a", _apps(1))
    bucket = bucket_of(("app", "a0"))
    message = Summaries(sender=a.me, buckets=(-BUCKETS - 1, BUCKETS, bucket, bucket), summaries=())
    assert a.hear(b"b", message) == [Reply(b"b", Items(sender=a.me, items=tuple(_apps(1))))]


def test_items_that_say_nothing_new_are_not_taken_in() -> None:
    a = Branch("a", [known.app("a", 2), known.news("w", 2), known.statement("b", boot=2)])
    old: list[Item] = [
        known.app("a", 2),
        known.app("a", 1),
        known.news("w", 2),
        known.statement("b"),
    ]
    new: list[Item] = [known.app("a", 3), known.news("w", 3), known.app("b")]
    message = Items(sender=a.me, items=(*old, *new))
    assert a.repair.on_items(a.me, b"b", message) == (new, [])


def test_what_is_wanted_is_sent_once_and_only_if_it_is_there() -> None:
    a = Branch("a", [known.app("a")])
    message = Items(sender=a.me, items=(), wanted=(("app", "a"), ("app", "x"), ("app", "a")))
    assert a.hear(b"b", message) == [Reply(b"b", Items(sender=a.me, items=(known.app("a"),)))]


def test_an_answer_to_what_is_wanted_wants_nothing() -> None:
    a = Branch("a", _apps(1000))
    wanted = tuple(key_of(item) for item in _apps(1000))
    for effect in a.hear(b"b", Items(sender=a.me, items=tuple(_apps(10, 2)), wanted=wanted)):
        assert isinstance(effect, Reply)
        assert isinstance(effect.message, Items)
        assert effect.message.wanted == ()


# --- limits --------------------------------------------------------------------------------------


def test_much_that_differs_is_told_in_several_messages_of_whole_buckets() -> None:
    a, b = Branch("a", _apps(3 * SUMMARIES_MAX)), Branch("b")
    network = Network([a, b])
    network.exchange(a, b)
    told = network.told(Summaries)
    assert len(told) in {4, 5}
    assert sorted(bucket for message in told for bucket in message.buckets) == list(range(BUCKETS))
    for message in told:
        assert 0 < len(message.summaries) <= SUMMARIES_MAX
        assert sorted(message.summaries) == sorted(a.table.summaries(message.buckets))


def test_long_names_make_more_messages() -> None:
    a, b = Branch("a", _apps(5000, prefix="x" * 200)), Branch("b")
    network = Network([a, b])
    network.exchange(a, b)
    told = network.told(Summaries)
    assert len(told) > 2
    for message in told:
        texts = sum(len(text) for key, _ in message.summaries for text in key)
        assert texts + 10 * len(message.summaries) < SUMMARIES_BYTES_MAX < MESSAGE_BYTES_MAX


def test_a_bucket_that_is_too_large_is_told_in_parts_that_hide_nothing_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repair, "SUMMARIES_MAX", 20)
    mine, theirs = _apps(2000, prefix="m"), _apps(100, prefix="t")
    a, b = Branch("a", mine), Branch("b", theirs)
    network = Network([a, b])
    for _ in range(BUCKETS):
        network.exchange(a, b)
    assert {message.buckets for message in network.told(Summaries)} == {()}
    assert max(len(message.summaries) for message in network.told(Summaries)) == 20
    # Who began could not tell what it lacks: it is told of that when the other begins.
    assert b.known() == _join(mine + theirs)
    assert a.known() == _join(mine)
    for _ in range(BUCKETS):
        network.exchange(b, a)
    assert a.known() == b.known()


def test_buckets_that_fit_and_such_that_do_not_are_told_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repair, "SUMMARIES_MAX", 5)
    monkeypatch.setattr(repair, "MESSAGES_MAX", 1000)
    a = Branch("a", _apps(250))
    told = [
        effect.message
        for effect in a.hear(b"b", Buckets(sender=a.me, digests=(0,) * BUCKETS))
        if isinstance(effect, Reply) and isinstance(effect.message, Summaries)
    ]
    everything = [summary for message in told for summary in message.summaries]
    assert sorted(everything) == sorted(a.table.summaries(range(BUCKETS)))
    assert max(len(message.summaries) for message in told) == 5
    whole = [message for message in told if message.buckets]
    assert 0 < len(whole) < len(told)
    for message in whole:
        assert sorted(message.summaries) == sorted(a.table.summaries(message.buckets))


def test_items_go_in_messages_of_a_bounded_number_and_the_rest_with_the_next_exchange() -> None:
    items = _apps(2 * MESSAGES_MAX * ITEMS_MAX)
    a, b = Branch("a"), Branch("b", items)
    network = Network([a, b])
    rounds = 0
    while a.table.digest != b.table.digest:
        network.exchange(a, b)
        rounds += 1
        assert rounds <= 4
    assert max(len(message.items) for message in network.told(Items)) == ITEMS_MAX
    assert a.known() == _join(items)


def test_items_go_in_messages_of_bounded_size() -> None:
    size = ITEMS_BYTES_MAX // 3
    a, b = Branch("a"), Branch("b", _apps(10), size_of=lambda _: size)
    network = Network([a, b])
    network.exchange(a, b)
    assert [len(message.items) for message in network.told(Items)] == [3, 3, 3, 1]


def test_an_item_that_fits_no_message_does_not_hold_up_the_others() -> None:
    a = Branch("a")
    b = Branch("b", _apps(10), size_of=lambda item: ITEMS_BYTES_MAX + (item == known.app("a3")))
    Network([a, b]).exchange(a, b)
    assert len(a.table) == 9
    assert a.table.get(("app", "a3")) is None


def test_keys_that_are_wanted_go_in_messages_of_a_bounded_number() -> None:
    a, b = Branch("a", _apps(3 * ITEMS_MAX)), Branch("b", _apps(10, 2))
    network = Network([a, b])
    network.exchange(a, b)
    wanting = [message for message in network.told(Items) if message.wanted]
    assert [len(message.wanted) for message in wanting] == [ITEMS_MAX] * 3
    assert [len(message.items) for message in wanting] == [10, 0, 0]


def test_a_bucket_that_never_comes_to_agree_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repair, "MESSAGES_MAX", 1)
    monkeypatch.setattr(repair, "SUMMARIES_MAX", 1)
    apps = list({bucket_of(key_of(item)): item for item in _apps(50)}.values())
    a, b = Branch("a", apps), Branch("b")
    b.refused = {key_of(item) for item in apps[::2]}
    network = Network([a, b])
    for _ in range(BUCKETS):
        network.exchange(a, b)
    assert {key_of(item) for item in apps[1::2]} <= b.known().keys()
