"""Remote control of real workers on real brokers, and of brokers that hang."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gevent
import kombu
import pytest
import redis

from cyme.adapters.celery_control import CeleryControl, CeleryControls
from cyme.adapters.celery_multi import CeleryMulti
from cyme.core.model import EPOCH_STAMP, AppName, Broker, Queue, QueueName
from cyme.core.workers import Process, Report
from cyme.errors import BrokerRefused, BrokerUnavailable, DeadlineExceeded
from tests.adapters.launches import launch, unique
from tests.adapters.proxy import FreezingProxy
from tests.waiting import eventually

BROKERS = [
    pytest.param("rabbitmq_url", marks=pytest.mark.rabbitmq, id="rabbitmq"),
    pytest.param("redis_url", marks=pytest.mark.redis, id="redis"),
]
NOBODY = "nobody@nowhere"


@pytest.fixture(params=BROKERS, scope="module")
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def control(url: str) -> Iterator[CeleryControl]:
    control = CeleryControls("test").control(Broker(url))
    yield control
    control.close()


@dataclass
class Workers:
    """Two workers, one that can autoscale and one that cannot."""

    scaling: str
    fixed: str
    processes: dict[str, Process]

    @property
    def nodes(self) -> list[str]:
        return [self.scaling, self.fixed]


@pytest.fixture(scope="module")
def workers(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    multi = CeleryMulti(tmp_path_factory.mktemp("instances"), environment=dict(os.environ))
    launches = [launch(url, pool=pool) for pool in ("prefork", "threads")]
    started = {wanted.instance: multi.start(wanted) for wanted in launches}
    control = CeleryControls("test").control(Broker(url))
    nodes = [wanted.node for wanted in launches]
    try:
        eventually(
            lambda: len(control.survey(nodes, with_limits=False, timeout_s=1.0)) == len(nodes), 30
        )
        yield Workers(nodes[0], nodes[1], dict(zip(nodes, started.values(), strict=True)))
    finally:
        control.close()
        for instance, process in started.items():
            multi.signal(instance, process, "KILL")


def queue(name: str, **fields: str) -> Queue:
    return Queue(app=AppName("a"), name=QueueName(name), stamp=EPOCH_STAMP, **fields)  # type: ignore[arg-type]


def direct(node: str) -> str:
    return f"dq.{node.partition('@')[0]}"


def consumed(control: CeleryControl, node: str) -> frozenset[str]:
    return control.survey([node], with_limits=False, timeout_s=5.0)[node].queues


# --- survey -----------------------------------------------------------------------------------


def test_one_survey_tells_queues_limits_and_slots(control: CeleryControl, workers: Workers) -> None:
    reports = control.survey(workers.nodes, with_limits=True, timeout_s=5.0)
    assert reports == {
        workers.scaling: Report(
            queues=frozenset({direct(workers.scaling)}), limits=(1, 1), slots=1
        ),
        workers.fixed: Report(queues=frozenset({direct(workers.fixed)}), limits=None, slots=1),
    }


def test_a_survey_ends_when_all_have_answered(control: CeleryControl, workers: Workers) -> None:
    control.survey(workers.nodes, with_limits=False, timeout_s=5.0)
    began = time.monotonic()
    control.survey(workers.nodes, with_limits=True, timeout_s=60.0)
    assert time.monotonic() - began < 20


def test_others_answer_although_one_is_missing(control: CeleryControl, workers: Workers) -> None:
    began = time.monotonic()
    reports = control.survey([*workers.nodes, NOBODY], with_limits=True, timeout_s=3.0)
    assert reports.keys() == set(workers.nodes)
    assert 2.9 < time.monotonic() - began < 15


def test_a_paused_worker_is_silent_and_its_late_answer_disturbs_nobody(
    control: CeleryControl, workers: Workers
) -> None:
    pid = workers.processes[workers.fixed].pid
    os.kill(pid, 19)
    try:
        assert control.survey([workers.fixed], with_limits=False, timeout_s=0.3) == {}
    finally:
        os.kill(pid, 18)
    for _ in range(3):
        reports = control.survey(workers.nodes, with_limits=False, timeout_s=5.0)
        assert reports.keys() == set(workers.nodes)


def test_asking_nobody_asks_the_broker_alone(control: CeleryControl, workers: Workers) -> None:
    assert control.survey([], with_limits=True, timeout_s=5.0) == {}


# --- commands ---------------------------------------------------------------------------------


def test_adds_and_cancels_a_consumer(control: CeleryControl, workers: Workers) -> None:
    name = unique("q")
    node = workers.fixed
    control.add_consumer(node, queue(name), timeout_s=5.0)
    eventually(lambda: name in consumed(control, node))
    control.cancel_consumer(node, name, timeout_s=5.0)
    eventually(lambda: name not in consumed(control, node))


def test_declares_what_it_adds_as_it_was_meant(
    control: CeleryControl, workers: Workers, url: str
) -> None:
    name = unique("q")
    wanted = queue(
        name,
        exchange=unique("x"),
        exchange_type="topic",
        routing_key="a.#",
        options=json.dumps({"durable": False, "auto_delete": True}),
    )
    control.check_queue(wanted, timeout_s=5.0)
    control.add_consumer(workers.fixed, wanted, timeout_s=5.0)
    eventually(lambda: name in consumed(control, workers.fixed))
    assert wanted.exchange is not None
    with kombu.Connection(url) as connection:
        declaration = kombu.Queue(
            name,
            kombu.Exchange(wanted.exchange, type="topic", durable=False, auto_delete=True),
            routing_key="a.#",
            durable=False,
            auto_delete=True,
        )
        declaration(connection.channel()).declare()  # RabbitMQ refuses a different one
    control.cancel_consumer(workers.fixed, name, timeout_s=5.0)


def test_sets_limits(control: CeleryControl, workers: Workers) -> None:
    control.autoscale(workers.scaling, 2, 3, timeout_s=5.0)
    report = control.survey([workers.scaling], with_limits=True, timeout_s=5.0)[workers.scaling]
    assert report.limits == (2, 3)
    control.autoscale(workers.scaling, 1, 1, timeout_s=5.0)


def test_tells_what_a_worker_refused(control: CeleryControl, workers: Workers) -> None:
    with pytest.raises(BrokerRefused, match="Autoscale not enabled"):
        control.autoscale(workers.fixed, 1, 2, timeout_s=5.0)


def test_returns_statistics(control: CeleryControl, workers: Workers) -> None:
    stats = control.stats(workers.scaling, timeout_s=5.0)
    assert stats["pid"] == workers.processes[workers.scaling].pid


@pytest.mark.parametrize(
    "command",
    [
        lambda control: control.add_consumer(NOBODY, queue("q"), timeout_s=0.3),
        lambda control: control.cancel_consumer(NOBODY, "q", timeout_s=0.3),
        lambda control: control.autoscale(NOBODY, 1, 2, timeout_s=0.3),
        lambda control: control.stats(NOBODY, timeout_s=0.3),
    ],
)
def test_a_worker_that_does_not_answer_is_not_a_broker_that_is_away(
    control: CeleryControl, command: Callable[[CeleryControl], object]
) -> None:
    with pytest.raises(DeadlineExceeded, match=NOBODY):
        command(control)


# --- declarations -----------------------------------------------------------------------------


def test_accepts_a_declaration_again_and_a_changed_one_elsewhere(control: CeleryControl) -> None:
    wanted = queue(unique("q"), exchange=unique("x"))
    for _ in range(2):
        control.check_queue(wanted, timeout_s=5.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"exchange_type": "no-such-type"},
        {"options": json.dumps({"message_ttl": "soon"})},
    ],
)
def test_refuses_what_would_take_a_worker_down(control: CeleryControl, bad: dict[str, str]) -> None:
    wanted = queue(unique("q"), **bad)
    with pytest.raises(BrokerRefused, match=wanted.name):
        control.check_queue(wanted, timeout_s=5.0)
    control.survey([], with_limits=False, timeout_s=5.0)


@pytest.mark.rabbitmq
def test_refuses_a_queue_that_exists_with_other_arguments(rabbitmq_url: str) -> None:
    control = CeleryControls("test").control(Broker(rabbitmq_url))
    name = unique("q")
    control.check_queue(queue(name), timeout_s=5.0)
    with pytest.raises(BrokerRefused, match="PRECONDITION_FAILED"):
        control.check_queue(
            queue(name, options=json.dumps({"queue_durable": False})), timeout_s=5.0
        )
    control.close()


@pytest.mark.redis
def test_an_exchange_may_change_where_the_broker_keeps_none(redis_url: str) -> None:
    control = CeleryControls("test").control(Broker(redis_url))
    exchange = unique("x")
    for kind in ("direct", "topic"):
        wanted = queue(unique("q"), exchange=exchange, exchange_type=kind)
        control.check_queue(wanted, timeout_s=5.0)


# --- many callers -----------------------------------------------------------------------------


def test_twenty_callers_at_once_all_get_their_answer(
    control: CeleryControl, workers: Workers
) -> None:
    calls = [
        gevent.spawn(control.survey, workers.nodes, with_limits=n % 2 == 0, timeout_s=10.0)
        for n in range(20)
    ]
    gevent.joinall(calls, timeout=20)
    assert [sorted(call.value) for call in calls] == [sorted(workers.nodes)] * 20


def test_who_has_to_wait_too_long_is_told(control: CeleryControl) -> None:
    control.survey([], with_limits=False, timeout_s=5.0)
    first = gevent.spawn(control.survey, [NOBODY], with_limits=False, timeout_s=1.0)
    gevent.idle()
    with pytest.raises(DeadlineExceeded, match="Earlier calls"):
        control.survey([], with_limits=False, timeout_s=0.2)
    assert first.get() == {}


# --- brokers that are away --------------------------------------------------------------------


@pytest.fixture
def proxy(url: str) -> Iterator[FreezingProxy]:
    proxy = FreezingProxy(url)
    proxy.start()
    yield proxy
    proxy.thaw()
    proxy.stop()


def impatient(url: str) -> CeleryControl:
    return CeleryControls("test", patience_s=0.2).control(Broker(url))


CALLS: list[Callable[[CeleryControl], object]] = [
    lambda control: control.survey([NOBODY], with_limits=True, timeout_s=0.2),
    lambda control: control.survey([], with_limits=True, timeout_s=0.2),
    lambda control: control.stats(NOBODY, timeout_s=0.2),
    lambda control: control.check_queue(queue("q"), timeout_s=0.2),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("is_connected", [False, True])
def test_a_hung_broker_is_away_by_the_deadline(
    proxy: FreezingProxy, call: Callable[[CeleryControl], object], is_connected: bool
) -> None:
    control = impatient(proxy.url)
    if is_connected:
        control.survey([], with_limits=False, timeout_s=5.0)
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable, match="cannot be reached"):
        call(control)
    assert time.monotonic() - began < 5
    proxy.thaw()
    control.survey([], with_limits=False, timeout_s=5.0)
    control.close()


def test_a_broker_that_answers_late_is_not_away(proxy: FreezingProxy) -> None:
    control = CeleryControls("test").control(Broker(proxy.url))
    control.survey([], with_limits=False, timeout_s=5.0)
    proxy.freeze()
    gevent.spawn_later(0.5, proxy.thaw)
    assert control.survey([NOBODY], with_limits=False, timeout_s=0.1) == {}
    control.close()


def test_a_broken_connection_costs_one_call(proxy: FreezingProxy) -> None:
    control = impatient(proxy.url)
    control.survey([], with_limits=False, timeout_s=5.0)
    proxy.cut()
    with pytest.raises(BrokerUnavailable):
        control.survey([], with_limits=False, timeout_s=1.0)
    control.survey([], with_limits=False, timeout_s=5.0)
    control.close()


def test_keeps_one_connection(proxy: FreezingProxy) -> None:
    control = CeleryControls("test").control(Broker(proxy.url))
    control.survey([], with_limits=False, timeout_s=5.0)
    connections = proxy.connections
    for _ in range(10):
        control.survey([NOBODY], with_limits=False, timeout_s=0.01)
    assert proxy.connections == connections
    control.close()


def test_a_killed_caller_leaves_the_control_usable(proxy: FreezingProxy) -> None:
    control = impatient(proxy.url)
    control.survey([], with_limits=False, timeout_s=5.0)
    proxy.freeze()
    caller = gevent.spawn(control.survey, [], with_limits=False, timeout_s=30.0)
    gevent.idle()
    caller.kill(timeout=10.0)
    assert caller.dead
    proxy.thaw()
    control.survey([], with_limits=False, timeout_s=5.0)
    control.close()


def test_hung_calls_leave_no_open_files(proxy: FreezingProxy) -> None:
    proxy.freeze()
    control = impatient(proxy.url)

    def hang() -> None:
        with pytest.raises(BrokerUnavailable):
            control.survey([], with_limits=False, timeout_s=0.05)

    hang()
    gc.collect()
    before = own_sockets()
    for _ in range(5):
        hang()
    gc.collect()
    # The proxy keeps two ends of each connection.
    assert own_sockets() - before <= 2 * proxy.connections


def own_sockets() -> int:
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()).startswith("socket:")
    return count


@pytest.mark.parametrize(
    ("broker_url", "reason"),
    [
        ("amqp://guest:s3cret@127.0.0.1:1//", "refused"),
        ("redis://:s3cret@127.0.0.1:1/0", "refused"),
        ("amqp://guest:s3cret@no-such-host.invalid//", "not known"),
        ("nonsense://guest:s3cret@localhost//", "No such transport"),
        ("redis://:s3cret@127.0.0.1:6379/not-a-number", "int"),
    ],
)
def test_says_why_a_broker_cannot_be_reached_and_no_secret(broker_url: str, reason: str) -> None:
    control = CeleryControls("test").control(Broker(broker_url))
    with pytest.raises(BrokerUnavailable, match=reason) as caught:
        control.survey([], with_limits=False, timeout_s=5.0)
    assert "s3cret" not in str(caught.value)


# --- what stays behind ------------------------------------------------------------------------


@pytest.mark.rabbitmq
def test_leaves_no_queues_on_rabbitmq(rabbitmq_url: str) -> None:
    broker = Broker(rabbitmq_url)
    listing = ["rabbitmqctl", "-q", "list_queues", "-p", broker.virtual_host, "name"]

    def replies() -> set[str]:
        try:
            done = subprocess.run(listing, capture_output=True, check=True, text=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("rabbitmqctl cannot be run here")
        return {name for name in done.stdout.split() if "reply" in name}

    others = replies()
    control = CeleryControls("test").control(broker)
    for _ in range(20):
        control.survey([NOBODY], with_limits=True, timeout_s=0.01)
    assert len(replies() - others) == 1
    control.close()
    assert replies() <= others


@pytest.mark.redis
def test_leaves_no_keys_on_redis(redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    known = set(client.keys("*reply*")), client.scard("_kombu.binding.reply.celery.pidbox")
    control = CeleryControls("test").control(Broker(redis_url))
    for _ in range(20):
        with contextlib.suppress(BrokerUnavailable):
            control.survey([NOBODY], with_limits=True, timeout_s=0.001)
    control.close()
    eventually(
        lambda: (
            (set(client.keys("*reply*")), client.scard("_kombu.binding.reply.celery.pidbox"))
            == known
        ),
        15,
    )
    client.close()
