from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.model import (
    DEFAULT_SPEC,
    EPOCH_STAMP,
    MASK,
    BranchId,
    Broker,
    Instance,
    Record,
    Stamp,
    WorkerSpec,
    env_map,
    masked,
    merged,
)
from tests.core import records


def test_a_broker_of_five_fields_takes_the_defaults_of_rabbitmq() -> None:
    broker = Broker.from_fields(hostname="w1")
    assert broker.url == "amqp://guest:guest@w1:5672/%2F"
    assert (broker.scheme, broker.hostname, broker.port) == ("amqp", "w1", 5672)
    assert (broker.userid, broker.password, broker.virtual_host) == ("guest", "guest", "/")


@given(userid=st.text(min_size=1), password=st.text(min_size=1), vhost=st.text(min_size=1))
def test_whatever_stands_in_the_five_fields_comes_back(
    userid: str, password: str, vhost: str
) -> None:
    broker = Broker.from_fields(
        hostname="::1", port=1234, userid=userid, password=password, virtual_host=vhost
    )
    assert broker.hostname == "::1"
    assert (broker.userid, broker.password, broker.virtual_host) == (userid, password, vhost)


@pytest.mark.parametrize(
    ("url", "port", "virtual_host"),
    [
        ("amqp://h", 5672, "/"),
        ("amqps://h//", 5671, "/"),
        ("redis://h/3", 6379, "3"),
        ("redis+socket://h", 6379, "0"),
        ("sqs://h", None, "0"),
    ],
)
def test_what_a_url_leaves_open_takes_the_default_of_its_scheme(
    url: str, port: int | None, virtual_host: str
) -> None:
    broker = Broker(url)
    assert (broker.port, broker.virtual_host) == (port, virtual_host)
    assert broker.userid is None
    assert broker.password is None


def test_no_password_is_shown() -> None:
    assert masked("amqp://me:hush@h:1//") == f"amqp://me:{MASK}@h:1//"
    assert masked("redis://:hush@h/0") == f"redis://:{MASK}@h/0"
    assert masked("amqp://me@h//") == "amqp://me@h//"
    assert masked("amqp://h//") == "amqp://h//"
    assert masked("redis://h/0?db=1&Password=hush&x=2") == f"redis://h/0?db=1&Password={MASK}&x=2"
    assert masked("amqp://me:hush@[h") == MASK
    assert masked("redis://h/0#token=hush") == f"redis://h/0#token={MASK}"
    shared = "azureblockblob://Protocol=https;AccountName=me;AccountKey={};EndpointSuffix=net"
    assert masked(shared.format("hu/sh+hush==")) == shared.format(MASK)
    assert masked(shared.format(MASK)) == shared.format(MASK)
    broker = Broker("amqp://me:hush@h:1//")
    assert "hush" not in repr(broker)
    assert "hush" not in broker.masked_url
    spec = WorkerSpec(broker=broker, result_backend=broker.url, env=(("KEY", "hush"),))
    assert "hush" not in repr(spec)


def test_a_spec_takes_what_it_leaves_open_from_the_one_below() -> None:
    spec = WorkerSpec(pool="gevent", is_enabled=False).over(DEFAULT_SPEC)
    assert spec.pool == "gevent"
    assert spec.is_enabled is False
    assert spec.max_concurrency == 1


def test_an_environment_is_read_as_a_map() -> None:
    assert env_map(WorkerSpec()) == {}
    assert env_map(WorkerSpec(env=(("A", "1"),))) == {"A": "1"}


def test_a_queue_is_plain_when_its_name_says_all() -> None:
    assert records.queue("t").is_plain
    assert records.queue("t", exchange="t", routing_key="t", exchange_type="direct").is_plain
    assert not records.queue("t", exchange="x").is_plain
    assert not records.queue("t", routing_key="x").is_plain
    assert not records.queue("t", exchange_type="topic").is_plain
    assert not records.queue("t", options="{}").is_plain


@given(records.stamps, st.integers(0, 5))
def test_the_next_stamp_is_later_and_not_before_now(stamp: Stamp, now_ms: int) -> None:
    after = stamp.next(now_ms, "b9")
    assert after > stamp
    assert after.time_ms >= now_ms
    assert after.origin == "b9"


# --- the merge rule ------------------------------------------------------------------------------


def _all_merged(versions: Sequence[Record]) -> Record:
    """Return what the versions of one record are together, taken in one after the other."""
    first, *more = versions
    return reduce(merged, more, first)


_versions = st.one_of(
    st.lists(records.apps, min_size=1, max_size=6),
    st.lists(records.queues, min_size=1, max_size=6),
    st.lists(records.instances, min_size=1, max_size=6),
)


@given(_versions.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_merging_comes_to_the_same_in_every_order_and_however_often(
    orders: tuple[list[Record], list[Record]],
) -> None:
    here, there = orders
    assert _all_merged(here) == _all_merged(there) == _all_merged([*there, *here])


@given(records.instances, records.instances, records.instances)
def test_merging_in_pairs_comes_to_the_same(a: Instance, b: Instance, c: Instance) -> None:
    assert merged(merged(a, b), c) == merged(a, merged(b, c))
    assert merged(a, b) == merged(b, a)
    assert merged(a, a) is a


@given(_versions)
def test_what_brings_nothing_new_leaves_the_very_record(versions: list[Record]) -> None:
    together = _all_merged(versions)
    assert merged(None, together) is together
    assert all(merged(together, version) is together for version in versions)


@given(st.lists(records.instances, min_size=1, max_size=6))
def test_what_is_deleted_stays_deleted_until_it_is_created_again(versions: list[Instance]) -> None:
    together = _all_merged(versions)
    assert isinstance(together, Instance)
    newest = max(version.generation for version in versions)
    assert together.generation == newest
    assert together.deleted == any(v.deleted for v in versions if v.generation == newest)


@given(records.instances, records.instances)
def test_a_take_over_undoes_no_change_and_a_change_no_take_over(
    taken: Instance, changed: Instance
) -> None:
    start = replace(taken, deleted=False)
    taken = replace(start, owner=BranchId("b9"), epoch=start.epoch + 1)
    changed = replace(
        start,
        spec=WorkerSpec(pool="solo"),
        stamp=start.stamp.next(0, "b1"),
        version=start.version + 1,
        deleted=changed.deleted,
    )
    both = replace(changed, owner=taken.owner, epoch=taken.epoch)
    assert merged(taken, changed) == merged(changed, taken) == both


def test_of_two_owners_at_one_epoch_everybody_chooses_the_same() -> None:
    one = records.instance()
    other = replace(one, home=BranchId("b2"), owner=BranchId("b2"))
    homes = replace(other, home=BranchId("b3"))
    assert merged(one, other) == merged(other, one) == other
    assert merged(other, homes) == merged(homes, other) == homes


@pytest.mark.parametrize("record", [records.app(), records.queue(), records.instance()])
def test_of_two_versions_of_one_stamp_the_deleted_one_counts(record: Record) -> None:
    deleted = replace(record, deleted=True)
    assert merged(record, deleted) is merged(deleted, record) is deleted


def test_records_of_different_kinds_never_meet() -> None:
    with pytest.raises(AssertionError):
        merged(records.app(), records.instance())
    assert records.app().stamp > EPOCH_STAMP
