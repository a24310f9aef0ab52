"""Listening to real brokers, and to ones that stop to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import kombu
import pytest
import redis
from gevent.event import Event

from cyme.adapters.celery_events import CeleryEventListeners, listeners, queue, subscription
from cyme.adapters.celery_events.intake import Intake
from cyme.adapters.celery_events.listeners import CeleryEventListener
from cyme.adapters.celery_events.turns import Turns
from cyme.core.model import Broker
from cyme.core.task_events import TaskDeed, TaskEvent, WorkerEvent
from tests.adapters.celery_events.hearing import NODE, Hearing, Teller
from tests.adapters.proxy import FreezingProxy
from tests.waiting import eventually

BROKERS = [
    pytest.param("rabbitmq_url", marks=pytest.mark.rabbitmq, id="rabbitmq"),
    pytest.param("redis_url", marks=pytest.mark.redis, id="redis"),
]

Listen = Callable[..., Hearing]


class GatedTurns(Turns):
    """Turns that a test holds up."""

    def __init__(self, share_max: float) -> None:
        super().__init__(share_max)
        self.gate = Event()
        self.gate.set()

    def wait(self) -> None:
        super().wait()
        self.gate.wait()


@pytest.fixture(params=BROKERS, scope="module")
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def listen(url: str) -> Iterator[Listen]:
    """Yield a function that listens to a broker, and returns who hears."""
    started: list[CeleryEventListener] = []

    def begin(at: str = url, turns: Turns | None = None, *, wait: bool = True) -> Hearing:
        hearing = Hearing()
        listener = CeleryEventListeners("test", turns).listener(Broker(at), hearing)
        listener.start()
        started.append(listener)
        if wait:
            eventually(lambda: hearing.connections, 30)
            # A subscription holds once the broker has heard of it.
            teller = Teller(at)
            teller.tell_until(lambda: hearing.events)
            teller.close()
        return hearing

    yield begin
    for listener in started:
        listener.stop(2.0)


@pytest.fixture
def tell(url: str) -> Iterator[Callable[..., Teller]]:
    made: list[Teller] = []

    def make(batch: int = 1) -> Teller:
        made.append(Teller(url, batch))
        return made[-1]

    yield make
    for teller in made:
        teller.close()


def test_events_of_tasks_and_workers_are_heard(listen: Listen, tell: Callable[..., Teller]) -> None:
    hearing, teller = listen(), tell()
    teller.tell("task-sent", uuid="u1", name="add", queue="q", kwargs="{}", retries=0)
    teller.tell("task-failed", uuid="u1", exception="ValueError('x')", traceback="...")
    teller.tell("worker-heartbeat", active=2, freq=60.0)
    eventually(hearing.beats)
    sent, failed = (event for event in hearing.events if isinstance(event, TaskEvent))
    (life,) = hearing.beats()
    assert (sent.deed, sent.uuid, sent.name, sent.queue) == (TaskDeed.SENT, "u1", "add", "q")
    assert (failed.exception, failed.node) == ("ValueError('x')", NODE)
    assert (life.node, life.online, life.active, life.period_s) == (NODE, True, 2, 60.0)


def test_events_that_travel_together_are_heard_each(
    listen: Listen, tell: Callable[..., Teller]
) -> None:
    hearing, teller = listen(), tell(batch=10)
    teller.tell_many(95)
    eventually(lambda: len(hearing.uuids()) >= 95)
    assert hearing.uuids() == [f"u{number}" for number in range(95)]
    assert (hearing.shed, hearing.unreadable) == (0, 0)


def test_what_is_no_event_is_counted_and_passed_over(
    listen: Listen, tell: Callable[..., Teller]
) -> None:
    hearing, teller = listen(), tell()
    deep = '{"type": "task-sent", "x": ' + "[" * 9_999
    for body in ("{", '"event"', '{"type": 5}', "[1, 2]", deep, " " * 9 * 1024 * 1024):
        teller.raw(body)
    teller.tell_many(1)
    eventually(hearing.uuids)
    assert hearing.unreadable + hearing.shed == 6
    assert hearing.losses == []


def test_what_is_too_much_is_left_out_and_counted(
    listen: Listen, tell: Callable[..., Teller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "WAITING_MAX", 50)
    monkeypatch.setattr(queue, "WAITING_MAX", 50)
    monkeypatch.setattr(queue, "WINDOW", 5)
    monkeypatch.setattr(queue, "LOOK_S", 0.0)
    turns = GatedTurns(share_max=0.02)
    hearing = listen(turns=turns)
    turns.gate.clear()
    tell().tell_many(1000)
    turns.gate.set()
    eventually(lambda: len(hearing.uuids()) + hearing.shed >= 1000, 30)
    assert hearing.shed >= 100
    assert len(hearing.uuids()) >= 1
    assert len(hearing.uuids()) + hearing.shed <= 1010
    teller = tell()
    teller.tell_until(lambda: isinstance(hearing.events[-1], WorkerEvent))  # it goes on


def test_who_lost_the_broker_listens_again_when_it_is_back(
    url: str, listen: Listen, tell: Callable[..., Teller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "RETRY_S_FIRST", 0.05)
    proxy = FreezingProxy(url)
    proxy.start()
    try:
        hearing = listen(proxy.url)
        proxy.cut()
        eventually(lambda: hearing.connections == 2, 20)
        assert len(hearing.losses) >= 1
        teller = tell()
        heard = len(hearing.events)
        teller.tell_until(lambda: len(hearing.events) > heard)
    finally:
        proxy.stop()


def test_a_broker_that_hangs_is_left_and_tried_again(
    url: str, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (listeners, subscription):
        monkeypatch.setattr(module, "RETRY_S_FIRST", 0.05, raising=False)
    monkeypatch.setattr(listeners, "OPEN_TIMEOUT_S", 0.5)
    monkeypatch.setattr(listeners, "TURN_TIMEOUT_S", 1.0)
    monkeypatch.setattr(subscription, "SILENCE_S", 0.2)
    monkeypatch.setattr(queue, "FIRST_WAIT_S", 5.0)
    proxy = FreezingProxy(url)
    proxy.start()
    try:
        hearing = listen(proxy.url)
        proxy.freeze()
        eventually(lambda: len(hearing.losses) >= 2, 20)
        before = hearing.connections
        proxy.thaw()
        eventually(lambda: hearing.connections > before, 20)
    finally:
        proxy.stop()


def test_a_silence_that_is_answered_is_no_loss(
    listen: Listen, tell: Callable[..., Teller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription, "SILENCE_S", 0.05)
    monkeypatch.setattr(queue, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(queue, "CHECK_S", 0.0)
    hearing, teller = listen(), tell()
    for more in (2, 3, 4):
        teller.tell_until(lambda more=more: len(hearing.events) >= more)  # type: ignore[misc]
    assert hearing.losses == []


def test_a_password_is_in_no_reason(listen: Listen) -> None:
    hearing = listen("amqp://guest:hush-hush@127.0.0.1:1//hush-hush", wait=False)
    eventually(lambda: hearing.losses)
    assert "hush" not in hearing.losses[0]


@pytest.mark.redis
def test_who_stops_to_listen_leaves_no_subscription(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    number = redis_url.rpartition("/")[2]

    def subscribed() -> bool:
        mine = [each for each in client.client_list() if each["name"] == "cyme-gone-events"]
        return any(int(each["psub"]) for each in mine)

    listener = CeleryEventListeners("gone").listener(Broker(redis_url), Hearing())
    listener.start()
    eventually(subscribed)
    assert number.isdigit()
    listener.stop(2.0)
    eventually(lambda: not subscribed())
    listener.stop(2.0)  # once more is nothing


@pytest.mark.rabbitmq
def test_the_queue_at_the_broker_is_bounded_and_goes_with_the_listener(rabbitmq_url: str) -> None:
    source = queue.EventQueue(Broker(rabbitmq_url), "cyme-test-events", Intake(Hearing()), Turns())
    source.open()
    name = source._queue.name
    source._queue.queue_declare(passive=True)
    assert source._queue.exclusive
    assert source._queue.max_length == queue.LENGTH_MAX
    assert source._queue.message_ttl == queue.TTL_S
    source.close()
    with kombu.Connection(rabbitmq_url) as connection:
        channel = connection.channel()
        with pytest.raises(connection.channel_errors, match="NOT_FOUND"):
            channel.queue_declare(name, passive=True)
