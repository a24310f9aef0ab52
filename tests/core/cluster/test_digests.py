from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.cluster import digests
from cyme.core.cluster.digests import Table
from cyme.core.cluster.items import BUCKETS, InstanceNews, Item, Key, bucket_of, key_of, tag_of
from cyme.core.cluster.members import Statement
from cyme.core.model import App, Instance, Queue
from tests.core.cluster import known


def _table(items: Sequence[Item]) -> Table:
    table = Table()
    for item in items:
        table.put(item)
    return table


@given(st.lists(st.tuples(known.items, st.booleans()), max_size=40))
def test_a_table_holds_what_was_put_in_last_and_not_dropped(
    steps: list[tuple[Item, bool]],
) -> None:
    table = Table()
    expected: dict[Key, Item] = {}
    for item, stays in steps:
        key = key_of(item)
        if stays:
            table.put(item)
            expected[key] = item
        else:
            table.drop(key)
            expected.pop(key, None)
    assert len(table) == len(expected)
    for item, _ in steps:
        key = key_of(item)
        there = expected.get(key)
        assert table.get(key) is there
        assert table.tag(key) == (None if there is None else tag_of(there))
    for bucket in range(BUCKETS):
        assert set(table.keys_in(bucket)) == {k for k in expected if bucket_of(k) == bucket}
    assert dict(table.summaries(range(BUCKETS))) == {k: tag_of(i) for k, i in expected.items()}
    found: list[Item] = [
        *table.items_of(App),
        *table.items_of(Queue),
        *table.items_of(Instance),
        *table.items_of(InstanceNews),
        *table.items_of(Statement),
    ]
    assert {key_of(item): item for item in found} == expected
    assert len(found) == len(expected)
    assert all(isinstance(item, Instance) for item in table.items_of(Instance))
    afresh = _table(list(expected.values()))
    assert (table.digests(), table.digest) == (afresh.digests(), afresh.digest)


@given(st.lists(known.items, unique_by=key_of), st.randoms(use_true_random=False))
def test_the_digests_do_not_tell_in_which_order_things_were_learnt(
    items: list[Item], chance: Random
) -> None:
    shuffled = list(items)
    chance.shuffle(shuffled)
    assert _table(items).digests() == _table(shuffled).digests()
    assert _table(items).digest == _table(shuffled).digest


@given(st.lists(known.items, unique_by=key_of), known.items)
def test_whoever_knows_something_else_has_another_digest_in_that_bucket_alone(
    items: list[Item], item: Item
) -> None:
    table = _table(items)
    before, digest = table.digests(), table.digest
    same = table.tag(key_of(item)) == tag_of(item)
    table.put(item)
    assert (table.digest == digest) is same
    pairs = enumerate(zip(before, table.digests(), strict=True))
    differing = [bucket for bucket, (old, new) in pairs if old != new]
    assert differing == ([] if same else [bucket_of(key_of(item))])


def test_summaries_tell_of_the_buckets_asked_for_alone() -> None:
    items = [known.app(f"a{number}") for number in range(200)]
    table = _table(items)
    told = dict(table.summaries([3, 5]))
    assert told == {key_of(i): tag_of(i) for i in items if bucket_of(key_of(i)) in {3, 5}}
    assert told
    assert table.summaries([]) == []


def test_what_is_alike_or_changes_places_in_two_buckets_does_not_cancel_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tags = {"a": 7, "b": 7}
    monkeypatch.setattr(digests, "tag_of", lambda item: tags[item.name])
    items = [known.app("a"), known.app("b")]
    assert len({bucket_of(key_of(item)) for item in items}) == 2
    assert _table(items).digest != Table().digest
    tags["b"] = 9
    one = _table(items)
    tags["a"], tags["b"] = 9, 7
    other = _table(items)
    assert sorted(one.digests()) == sorted(other.digests())
    assert one.digest != other.digest


def test_digests_are_of_64_bits() -> None:
    table = _table([known.app(f"a{number}") for number in range(1000)])
    assert len(table.digests()) == BUCKETS
    assert all(0 < digest < 2**64 for digest in (*table.digests(), table.digest))
    assert max(table.digests()) >= 2**60
