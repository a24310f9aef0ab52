"""Calls to brokers end in bounded time, one after the other, and with errors of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event

from cyme.adapters.broker_calls import (
    Calls,
    answering,
    connection_to,
    leave,
    open_channel,
    reason_of,
    unavailable,
)
from cyme.core.model import Broker
from cyme.errors import BrokerRefused, BrokerUnavailable, Conflict, CymeError, DeadlineExceeded
from tests.adapters.proxy import FreezingProxy

BROKER = Broker("amqp://guest:p%40ss@127.0.0.1:5672//")
T = 5.0
LONG_S = 60.0


class Callee:
    """Makes calls, and counts how often the connection was let go of."""

    def __init__(self) -> None:
        self.let_go = 0
        self.calls = Calls(BROKER, self._let_go)

    def _let_go(self) -> None:
        self.let_go += 1

    def fail(self, exc: BaseException, timeout_s: float = T) -> None:
        def call(_: float) -> None:
            raise exc

        self.calls.make(call, timeout_s)


@pytest.fixture
def callee() -> Callee:
    return Callee()


# --- turns ------------------------------------------------------------------------------------


def test_calls_wait_for_their_turn_and_not_longer(callee: Callee) -> None:
    begun, end = Event(), Event()

    def first(_: float) -> str:
        begun.set()
        end.wait(LONG_S)
        return "first"

    making = gevent.spawn(callee.calls.make, first, LONG_S)
    begun.wait(T)
    with pytest.raises(DeadlineExceeded, match="Earlier calls"):
        callee.calls.make(lambda _: "second", 0.05)
    waiting = gevent.spawn(callee.calls.make, lambda _: "third", LONG_S)
    end.set()
    assert [making.get(timeout=T), waiting.get(timeout=T)] == ["first", "third"]
    assert callee.let_go == 0


def test_a_call_that_hangs_is_cut_off_and_the_next_one_has_its_turn(callee: Callee) -> None:
    with pytest.raises(BrokerUnavailable, match="does not answer within"):
        callee.calls.make(lambda _: gevent.sleep(LONG_S), 0.01)
    assert callee.let_go == 1
    assert callee.calls.make(lambda _: "next", T) == "next"


# --- what fails -------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [BrokerRefused("no"), Conflict("no"), DeadlineExceeded("no")])
def test_what_a_broker_answers_to_costs_no_connection(callee: Callee, refusal: CymeError) -> None:
    with pytest.raises(type(refusal)):
        callee.fail(refusal)
    assert callee.let_go == 0


@pytest.mark.parametrize("failure", [OSError("gone"), ValueError("odd"), KeyError("what")])
def test_whatever_a_transport_raises_is_the_brokers_absence(
    callee: Callee, failure: Exception
) -> None:
    with pytest.raises(BrokerUnavailable, match=str(failure)) as caught:
        callee.fail(failure)
    assert caught.value.__cause__ is failure
    assert callee.let_go == 1


def test_who_is_killed_in_a_call_leaves_no_connection_and_no_turn_behind(callee: Callee) -> None:
    begun = Event()

    def call(_: float) -> None:
        begun.set()
        gevent.sleep(LONG_S)

    making = gevent.spawn(callee.calls.make, call, LONG_S)
    begun.wait(T)
    making.kill(timeout=T)
    assert callee.let_go == 1
    assert callee.calls.make(lambda _: "next", T) == "next"


def test_the_callers_own_deadline_stays_the_callers() -> None:
    with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.01) as own:  # noqa: SIM117
        with answering(BROKER, LONG_S):
            gevent.sleep(LONG_S)
    assert caught.value is own


@pytest.mark.parametrize("secret", ["p@ss", "p%40ss"])
def test_no_reason_tells_a_password(secret: str) -> None:
    failure = OSError(f"guest:{secret} was refused")
    assert secret not in reason_of(failure, BROKER.url)
    assert secret not in str(unavailable(BROKER.url, failure))
    with pytest.raises(BrokerUnavailable) as caught, answering(BROKER, T):
        raise failure
    assert secret not in str(caught.value)


def test_an_exception_without_words_is_told_by_its_name() -> None:
    assert reason_of(BrokenPipeError(), BROKER.url) == "BrokenPipeError"


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.EPIPE, errno.EINVAL])
def test_a_connection_that_was_ended_is_told_in_words(number: int) -> None:
    wrapped = RuntimeError("transport failed")
    wrapped.__cause__ = OSError(number, "hush")
    assert reason_of(OSError(number, "hush"), BROKER.url) == "it ended the connection"
    assert reason_of(wrapped, BROKER.url) == "it ended the connection"
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert "refused" in reason_of(refused, BROKER.url)


# --- connections ------------------------------------------------------------------------------


@pytest.fixture(
    params=[
        pytest.param("rabbitmq_url", marks=pytest.mark.rabbitmq, id="rabbitmq"),
        pytest.param("redis_url", marks=pytest.mark.redis, id="redis"),
    ]
)
def proxy(request: pytest.FixtureRequest) -> Iterator[FreezingProxy]:
    proxy = FreezingProxy(request.getfixturevalue(request.param))
    proxy.start()
    yield proxy
    proxy.thaw()
    proxy.stop()


def test_a_broker_that_hangs_is_left_without_a_word(proxy: FreezingProxy) -> None:
    connection = connection_to(Broker(proxy.url), "test")
    channel = open_channel(connection)
    queue = f"left-{id(connection)}"
    channel.queue_declare(queue=queue)
    proxy.freeze()
    with gevent.Timeout(LONG_S / 2):
        leave(connection, 0.05, lambda: channel.queue_declare(queue=queue))
    assert not connection.connected


def test_a_farewell_that_fails_keeps_nobody(proxy: FreezingProxy) -> None:
    connection = connection_to(Broker(proxy.url), "test")
    open_channel(connection)

    def farewell() -> None:
        raise OSError("no")

    leave(connection, T, farewell)
    assert not connection.connected


def test_connections_do_not_share_what_they_declared() -> None:
    first, second = (connection_to(Broker("memory://"), "test") for _ in range(2))
    assert first.transport.state is not second.transport.state
