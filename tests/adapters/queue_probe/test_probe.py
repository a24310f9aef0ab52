"""Looks at queues of real brokers, and of brokers that hang."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import kombu
import pytest
import redis

from cyme.adapters.clock import SystemClock
from cyme.adapters.queue_probe import KombuProbe, KombuProbes
from cyme.adapters.queue_probe.sights import MESSAGE_BYTES_MAX, sent_at
from cyme.adapters.task_gateway import CeleryTaskGateway
from cyme.core.model import EPOCH_STAMP, AppName, Broker, Queue, QueueName
from cyme.core.tasks import SendOptions, WebhookRequest
from cyme.core.vitals import QueueSight
from cyme.errors import BrokerUnavailable, Conflict
from cyme.testing import MemoryStore
from tests.adapters.launches import unique
from tests.adapters.proxy import FreezingProxy
from tests.waiting import eventually

BROKERS = [
    pytest.param("rabbitmq_url", marks=pytest.mark.rabbitmq, id="rabbitmq"),
    pytest.param("redis_url", marks=pytest.mark.redis, id="redis"),
]
T = 5.0


@pytest.fixture(params=BROKERS)
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def probe_of(url: str) -> KombuProbe:
    return KombuProbes("test").probe(Broker(url))


@pytest.fixture
def probe(url: str) -> Iterator[KombuProbe]:
    probe = probe_of(url)
    yield probe
    probe.close()


def fill(url: str, name: str, count: int, **properties: object) -> None:
    with kombu.Connection(url) as connection:
        queue = connection.SimpleQueue(name)
        for number in range(count):
            queue.put({"n": number}, **properties)
        queue.close()


def depths(probe: KombuProbe, *queues: str) -> list[int | None]:
    seen = probe.look(queues, timeout_s=T)
    return [seen[queue].depth for queue in queues]


# --- depth ------------------------------------------------------------------------------------


def test_tells_how_many_messages_wait(url: str, probe: KombuProbe) -> None:
    full, empty = unique("full"), unique("empty")
    fill(url, full, 7)
    fill(url, empty, 0)

    assert depths(probe, full, empty) == [7, 0]
    fill(url, full, 2)
    assert depths(probe, empty, full) == [0, 9]


@pytest.mark.rabbitmq
def test_a_queue_that_is_not_there_costs_the_others_nothing(rabbitmq_url: str) -> None:
    probe, there, missing = probe_of(rabbitmq_url), unique("there"), unique("missing")
    fill(rabbitmq_url, there, 3)

    for _ in range(2):
        seen = probe.look([missing, there, missing + "2"], timeout_s=T)
        assert seen[there].depth == 3
        assert seen[missing].depth is None
        assert "not on the broker yet" in seen[missing].error
        assert "not on the broker yet" in seen[missing + "2"].error
    probe.close()


@pytest.mark.rabbitmq
def test_a_queue_that_belongs_to_another_connection_is_told_of(rabbitmq_url: str) -> None:
    probe, name = probe_of(rabbitmq_url), unique("exclusive")
    with kombu.Connection(rabbitmq_url) as connection:
        kombu.Queue(name, exclusive=True)(connection.channel()).declare()

        assert "does not tell" in probe.look([name], timeout_s=T)[name].error
    probe.close()


@pytest.mark.rabbitmq
def test_rabbitmq_counts_consumers(rabbitmq_url: str) -> None:
    probe, name = probe_of(rabbitmq_url), unique("consumed")
    with kombu.Connection(rabbitmq_url) as connection:
        fill(rabbitmq_url, name, 0)
        assert probe.look([name], timeout_s=T)[name].consumers == 0
        with kombu.Consumer(connection, [kombu.Queue(name)], callbacks=[print]):
            assert probe.look([name], timeout_s=T)[name].consumers == 1
    probe.close()


@pytest.mark.redis
def test_redis_counts_all_priorities_and_no_consumers(redis_url: str) -> None:
    probe, name = probe_of(redis_url), unique("urgent")
    fill(redis_url, name, 2)
    fill(redis_url, name, 3, priority=9)

    assert probe.look([name], timeout_s=T)[name] == QueueSight(depth=5)
    probe.close()


@pytest.mark.redis
def test_what_is_no_queue_on_redis_costs_the_others_nothing(redis_url: str) -> None:
    probe, text, queue = probe_of(redis_url), unique("text"), unique("queue")
    redis.Redis.from_url(redis_url).set(text, "no list")
    fill(redis_url, queue, 1)

    seen = probe.look([text, queue], timeout_s=T)
    assert "WRONGTYPE" in seen[text].error
    assert seen[queue].depth == 1
    probe.close()


def test_what_kombu_keeps_itself_is_counted_too() -> None:
    probe, name = probe_of("memory://"), unique("memory")
    with kombu.Connection("memory://") as connection:
        connection.SimpleQueue(name).put("x")
    assert probe.look([name], timeout_s=T)[name] == QueueSight(depth=1)
    probe.close()


# --- age --------------------------------------------------------------------------------------


@pytest.mark.redis
def test_a_queued_url_tells_redis_when_it_was_sent(redis_url: str) -> None:
    name, probe, clock = unique("urls"), probe_of(redis_url), SystemClock()
    gateway = CeleryTaskGateway("test", MemoryStore(), clock)  # type: ignore[arg-type] # keeps nothing
    began = clock.wall()
    for _ in range(3):
        gateway.send(
            gateway.new_id(),
            broker=Broker(redis_url),
            result_backend=redis_url,
            queue=Queue(app=AppName("a"), name=QueueName(name), stamp=EPOCH_STAMP),
            request=WebhookRequest(method="GET", url="http://localhost/"),
            options=SendOptions(),
            timeout_s=T,
        )
    first_by = clock.wall()
    gateway.stop(1.0)

    seen = probe.look([name], timeout_s=T)[name]
    assert seen.depth == 3
    assert seen.oldest_at is not None
    assert began - 0.001 <= seen.oldest_at <= first_by
    probe.close()


@pytest.mark.redis
def test_where_one_priority_does_not_tell_the_oldest_is_not_known(redis_url: str) -> None:
    name, probe = unique("mixed"), probe_of(redis_url)
    fill(redis_url, name, 1, headers={"cyme_sent_at": 1000.0})
    assert probe.look([name], timeout_s=T)[name].oldest_at == 1000.0
    fill(redis_url, name, 1, priority=9)
    assert probe.look([name], timeout_s=T)[name].oldest_at is None
    probe.close()


def test_only_a_moment_that_stands_in_the_headers_is_told() -> None:
    def message(**headers: object) -> str:
        return json.dumps({"body": "cyme_sent_at", "headers": headers})

    assert sent_at(message(cyme_sent_at=1234.5)) == 1234.5
    assert sent_at(message(cyme_sent_at=1234).encode()) == 1234.0
    for told in ("soon", None, True, -1, 0, float("nan"), float("inf"), [1]):
        assert sent_at(message(cyme_sent_at=told)) is None
    for other in (message(), "[]", "{", "7", '{"headers": 3}', b"\xff", None, 3):
        assert sent_at(other) is None
    assert sent_at(message(cyme_sent_at=1.0, more="x" * MESSAGE_BYTES_MAX)) is None


# --- purge ------------------------------------------------------------------------------------


def test_purges_what_waits(url: str, probe: KombuProbe) -> None:
    name = unique("purged")
    fill(url, name, 5)
    fill(url, name, 2, priority=9)

    assert probe.purge(name, count_max=7, timeout_s=T) == 7
    assert depths(probe, name)[0] in (0, None)
    assert probe.purge(name, count_max=0, timeout_s=T) == 0


def test_purges_nothing_where_there_is_more_than_expected(url: str, probe: KombuProbe) -> None:
    name = unique("grown")
    fill(url, name, 5)

    with pytest.raises(Conflict, match="holds 5 messages by now"):
        probe.purge(name, count_max=4, timeout_s=T)
    assert depths(probe, name) == [5]


def test_a_queue_that_is_not_there_is_empty(probe: KombuProbe) -> None:
    assert probe.purge(unique("nowhere"), count_max=0, timeout_s=T) == 0


# --- brokers that are not there ---------------------------------------------------------------


@pytest.fixture
def proxy(url: str) -> Iterator[FreezingProxy]:
    proxy = FreezingProxy(url)
    proxy.start()
    yield proxy
    proxy.thaw()
    proxy.stop()


@pytest.mark.parametrize("is_connected", [False, True], ids=["fresh", "connected"])
def test_a_broker_that_hangs_is_given_up_in_time(proxy: FreezingProxy, is_connected: bool) -> None:
    probe, name = probe_of(proxy.url), unique("hung")
    if is_connected:
        probe.look([name], timeout_s=T)
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        probe.look([name], timeout_s=0.3)
    assert time.monotonic() - began < 5

    proxy.thaw()
    assert name in probe.look([name], timeout_s=T)
    probe.close()


def test_a_lost_connection_is_opened_anew(proxy: FreezingProxy, url: str) -> None:
    probe, name = probe_of(proxy.url), unique("lost")
    fill(url, name, 1)
    assert depths(probe, name) == [1]
    proxy.cut()
    with pytest.raises(BrokerUnavailable):
        depths(probe, name)
    assert depths(probe, name) == [1]
    probe.close()


def test_a_broker_that_is_away_is_told_of_without_its_password() -> None:
    probe = probe_of("amqp://guest:hush@127.0.0.1:1//")
    with pytest.raises(BrokerUnavailable) as told:
        probe.look(["q"], timeout_s=T)
    assert "hush" not in told.value.detail


def test_queues_that_there_was_no_time_for_are_left_out(url: str, probe: KombuProbe) -> None:
    names = [unique("q") for _ in range(300)]
    probe.look(names[:1], timeout_s=T)

    def some_are_seen() -> bool:
        try:
            return 1 <= len(probe.look(names, timeout_s=0.0)) < len(names)
        except BrokerUnavailable:
            return False  # a busy machine had no time for the first of them either

    eventually(some_are_seen, 10.0)
