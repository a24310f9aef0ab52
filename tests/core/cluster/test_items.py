from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from cyme.core.cluster.items import (
    BUCKETS,
    Item,
    bucket_of,
    joined,
    key_of,
    tag_of,
    weight_of,
)
from cyme.core.model import BranchId, QueueName, WorkerSpec
from tests.core.cluster import known
from tests.core.cluster.known import app, instance, news, queue, statement

EACH: list[Item] = [app("n"), queue("n"), instance("n"), news("n"), statement("n")]


def test_items_of_different_kinds_have_different_keys() -> None:
    assert [key_of(item) for item in EACH] == [
        ("app", "n"),
        ("queue", "shop", "n"),
        ("instance", "n"),
        ("news", "n"),
        ("branch", "n"),
    ]


def test_whatever_is_new_is_taken_as_it_is() -> None:
    for item in EACH:
        assert joined(None, item) is item


@given(known.items, known.items, known.items)
def test_in_whatever_order_items_are_joined_it_comes_to_the_same(
    one: Item, two: Item, three: Item
) -> None:
    there: dict[str, Item] = {}
    back: dict[str, Item] = {}
    for item in (one, two, three):
        key = repr(key_of(item))
        there[key] = joined(there.get(key), item)
    for item in (three, two, one, one, two):
        key = repr(key_of(item))
        back[key] = joined(back.get(key), item)
    assert there == back


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (app("a", 1), app("a", 2)),
        (queue("q", 1), queue("q", 2)),
        (instance("w", 1), instance("w", 2)),
        (news("w", 9, epoch=1), news("w", 1, epoch=2)),
        (news("w", 1), news("w", 2)),
        (statement("b"), statement("b", incarnation=1)),
    ],
)
def test_what_is_later_counts_and_what_is_known_stays_the_same_object(
    earlier: Item, later: Item
) -> None:
    assert joined(earlier, later) == joined(later, earlier) == later
    assert joined(later, earlier) is later
    assert joined(later, replace(later)) is later
    assert tag_of(earlier) != tag_of(later)


@pytest.mark.parametrize(
    ("one", "other"),
    [(app("n"), news("n")), (news("n"), statement("n")), (instance("n"), app("n"))],
)
def test_items_of_different_kinds_are_not_joined(one: Item, other: Item) -> None:
    with pytest.raises(AssertionError, match="different kinds"):
        joined(one, other)


def test_news_counts_by_epoch_then_branch_then_life_then_number() -> None:
    first = news("w")
    order = [
        first,
        replace(first, seq=2),
        replace(first, boot=2, seq=1),
        replace(first, branch=BranchId("b2")),
        replace(first, epoch=2),
    ]
    assert sorted(order, key=lambda each: each.order) == order


@given(known.items, known.items)
def test_items_that_are_the_same_have_the_same_tag_and_others_have_not(
    one: Item, two: Item
) -> None:
    assert tag_of(one) == tag_of(replace(one))
    assert (tag_of(one) == tag_of(two)) == (one == two)
    assert 0 <= tag_of(one) < 2**64


def test_a_tombstone_differs_from_what_it_buries() -> None:
    for item in (app("a"), queue("q"), instance("w")):
        assert tag_of(item) != tag_of(replace(item, deleted=not item.deleted))


def test_who_runs_an_instance_is_part_of_what_is_known_of_it() -> None:
    record = instance("w")
    for other in (
        replace(record, epoch=2),
        replace(record, owner=BranchId("b9")),
        replace(record, generation=2),
    ):
        assert tag_of(other) != tag_of(record)


def test_every_key_has_its_bucket_and_every_bucket_its_keys() -> None:
    found = [bucket_of(("app", f"a{number}")) for number in range(1000)]
    assert found == [bucket_of(("app", f"a{number}")) for number in range(1000)]
    assert set(found) == set(range(BUCKETS))


#: Texts that no item has elsewhere.
LONG = "x" * 1000


@pytest.mark.parametrize(
    ("item", "heavier"),
    [
        (app("a"), replace(app("a"), spec=WorkerSpec(arguments=LONG))),
        (app("a"), replace(app("a"), spec=WorkerSpec(extra_config=LONG))),
        (app("a"), replace(app("a"), spec=WorkerSpec(env=(("K", LONG[1:]),)))),
        (instance("w"), replace(instance("w"), spec=WorkerSpec(arguments=LONG))),
        (instance("w"), replace(instance("w"), queues=(QueueName(LONG),))),
        (queue("q"), replace(queue("q"), options=LONG)),
        (replace(news("w"), reason=""), replace(news("w"), reason=LONG)),
    ],
)
def test_an_item_weighs_as_much_more_as_its_texts_are_longer(item: Item, heavier: Item) -> None:
    assert weight_of(heavier) - weight_of(item) == len(LONG)


def test_every_item_weighs_something() -> None:
    assert all(weight_of(item) >= 200 for item in EACH)
    assert weight_of(statement("b")) == weight_of(statement("c"))
