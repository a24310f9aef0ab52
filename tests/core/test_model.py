from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.model import (
    DEFAULT_SPEC,
    EPOCH_STAMP,
    MASK,
    App,
    Broker,
    Instance,
    Stamp,
    WorkerSpec,
    env_map,
    masked,
    newer,
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


def _merged(*versions: App | Instance) -> App | Instance | None:
    kept: App | Instance | None = None
    for record in versions:
        if newer(kept, record):
            kept = record
    return kept


def _place(record: App | Instance | None) -> object:
    match record:
        case App():
            return record.stamp
        case Instance():
            return (record.epoch, record.owner, record.version)
    return None


@given(st.one_of(st.lists(records.apps, max_size=6), st.lists(records.instances, max_size=6)))
def test_merging_comes_to_the_same_in_every_order(versions: list[App | Instance]) -> None:
    forward = _place(_merged(*versions))
    assert _place(_merged(*reversed(versions))) == forward
    assert _place(_merged(*versions, *versions)) == forward


@given(records.instances, records.instances, records.instances)
def test_merging_in_pairs_comes_to_the_same(a: Instance, b: Instance, c: Instance) -> None:
    def pair(x: Instance, y: Instance) -> Instance:
        return y if newer(x, y) else x

    assert _place(pair(pair(a, b), c)) == _place(pair(a, pair(b, c)))
    assert _place(pair(a, a)) == _place(a)


def test_records_of_different_kinds_never_meet() -> None:
    with pytest.raises(AssertionError):
        newer(records.app(), records.instance())
    assert newer(None, records.app())
    assert records.app().stamp > EPOCH_STAMP
