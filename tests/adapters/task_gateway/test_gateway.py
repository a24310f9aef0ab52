"""Tasks go out, are run by real workers, and come back, on RabbitMQ and on Redis."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import gevent
import psutil
import pytest

from cyme.core.model import Broker, Queue
from cyme.core.task_ids import branch_hint, origin_hint
from cyme.core.tasks import PENDING, SendOptions, TaskState
from cyme.errors import BrokerUnavailable
from tests.adapters.proxy import FreezingProxy
from tests.adapters.task_gateway.conftest import MakeGateway
from tests.adapters.task_gateway.ground import Gateway, Kept, celery_app, queue, unique
from tests.system.target import VERBS, Seen, Target
from tests.tasks.targets import answering, raw_target, response
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq, pytest.mark.redis]

WAITERS = 500


@pytest.mark.parametrize("verb", VERBS)
def test_a_url_is_requested_as_it_was_queued(
    gateway: Gateway, work: Queue, target: Target, verb: str
) -> None:
    body = b"" if verb in {"GET", "HEAD", "TRACE", "CONNECT"} else b"\x00\xff body"
    path = f"/{unique('path')}/{verb}?q=%c3%A9+b%2Fc&empty=&a=1&a=2;x"
    task_id = gateway.send(work, target.url + path, verb, body=body, content_type="text/x")
    outcome = gateway.wait(task_id)
    assert outcome.state is TaskState.SUCCESS
    assert isinstance(outcome.result, dict)
    assert outcome.result["status_code"] == 200
    assert outcome.result["content"] == ("" if verb == "HEAD" else f"{verb} was here")
    assert [seen for seen in target.seen if seen.target == path] == [
        Seen(verb, path, body, "text/x")
    ]
    assert gateway.outcome(task_id) == outcome


def test_an_id_tells_the_branch(gateway: Gateway) -> None:
    made = gateway.gateway.new_id()
    assert UUID(made).version == 8
    assert origin_hint(made) == branch_hint(gateway.branch)
    assert made != gateway.gateway.new_id()


def test_a_failure_comes_with_its_exception_and_traceback(gateway: Gateway, work: Queue) -> None:
    outcome = gateway.wait(gateway.send(work, "http://me:hidden@169.254.169.254/"))
    assert outcome.state is TaskState.FAILURE
    assert isinstance(outcome.result, dict)
    assert outcome.result["exc_type"] == "WebhookForbidden"
    assert "169.254.169.254" in outcome.result["exc_message"]
    assert outcome.traceback is not None
    assert "WebhookForbidden" in outcome.traceback
    assert "hidden" not in f"{outcome}"


def test_a_target_that_fails_at_first_is_tried_again(gateway: Gateway, work: Queue) -> None:
    answer = answering(response(status="503 Busy"), response(b"at last"))
    with raw_target(answer) as target:
        task_id = gateway.send(work, target.url, retries=1)
        eventually(lambda: gateway.outcome(task_id).state is TaskState.RETRY)
        outcome = gateway.wait(task_id)
    assert isinstance(outcome.result, dict)
    assert (outcome.state, outcome.result["content"]) == (TaskState.SUCCESS, "at last")


def test_the_last_server_error_is_the_result(gateway: Gateway, work: Queue) -> None:
    with raw_target(answering(response(status="503 Busy"))) as target:
        outcome = gateway.wait(gateway.send(work, target.url, retries=1))
        assert len(target.requests) == 2
    assert isinstance(outcome.result, dict)
    assert (outcome.state, outcome.result["status_code"]) == (TaskState.SUCCESS, 503)


def test_an_unknown_task_is_pending(gateway: Gateway) -> None:
    assert gateway.outcome(gateway.gateway.new_id()) == PENDING
    assert gateway.outcome("no id at all") == PENDING


def test_a_wait_ends_at_its_deadline(gateway: Gateway, idle: Queue) -> None:
    task_id = gateway.send(idle)
    began = time.monotonic()
    assert gateway.wait(task_id, timeout_s=0.3) == PENDING
    assert 0.25 < time.monotonic() - began < 5


@pytest.mark.parametrize("relative", [True, False])
def test_a_task_waits_for_its_countdown_and_for_its_moment(
    gateway: Gateway, work: Queue, target: Target, relative: bool
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    options = SendOptions(countdown_s=1.0) if relative else SendOptions(eta=soon)
    began = time.monotonic()
    outcome = gateway.wait(gateway.send(work, target.url, options=options))
    assert outcome.state is TaskState.SUCCESS
    assert time.monotonic() - began > 0.8


@pytest.mark.parametrize("relative", [True, False])
def test_a_task_that_has_expired_is_not_run(
    gateway: Gateway, work: Queue, target: Target, relative: bool
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=5)
    options = SendOptions(expires_s=-5.0) if relative else SendOptions(expires_at=moment)
    path = f"/{unique('expired')}"
    outcome = gateway.wait(gateway.send(work, target.url + path, options=options))
    assert outcome.state is TaskState.REVOKED
    assert all(seen.target != path for seen in target.seen)


def test_a_message_carries_its_priority_and_no_secret(
    gateway: Gateway, idle: Queue, url: str
) -> None:
    secret = "http://me:hidden@example.com/?token=hidden"
    task_id = gateway.send(idle, secret, options=SendOptions(priority=7), body=b"hidden body")
    with celery_app(url).connection_for_read() as connection:
        # Redis has one list a step of priority: those of kombu.
        names = [idle.name, f"{idle.name}\x06\x166"]
        message = next(filter(None, (connection.SimpleQueue(n).queue.get() for n in names)), None)
        assert message is not None
        message.ack()
    assert message.properties["priority"] == 7
    assert message.headers["task"] == "cyme.tasks.webhook"
    assert message.headers["id"] == message.properties["correlation_id"] == task_id
    assert "hidden" not in repr(message.headers)
    assert "example.com" in message.headers["kwargsrepr"]


def test_hundreds_wait_with_one_connection_and_no_thread(
    make_gateway: MakeGateway, proxy: FreezingProxy, work: Queue, idle: Queue, target: Target
) -> None:
    gateway = make_gateway(proxy.url)
    never = gateway.send(idle)
    gateway.outcome(never)
    before, threads = proxy.connections, psutil.Process().num_threads()
    ids = [gateway.send(work, target.url) for _ in range(20)]
    waiters = [gevent.spawn(gateway.wait, ids[n % 20], 20.0) for n in range(WAITERS)]
    waiters += [gevent.spawn(gateway.wait, never, 1.0) for _ in range(10)]
    gevent.sleep(0)
    # gevent's resolver may have made a few of its own.
    assert psutil.Process().num_threads() < threads + 10
    outcomes = [waiter.get(timeout=30) for waiter in waiters]
    assert [outcome.state for outcome in outcomes[:WAITERS]] == [TaskState.SUCCESS] * WAITERS
    assert {outcome.state for outcome in outcomes[WAITERS:]} == {TaskState.PENDING}
    assert proxy.connections == before


def test_a_connection_lost_while_somebody_waits_is_replaced(
    make_gateway: MakeGateway, proxy: FreezingProxy, work: Queue, target: Target
) -> None:
    gateway = make_gateway(proxy.url)
    task_id = gateway.send(work, target.url, options=SendOptions(countdown_s=1.5))
    waiter = gevent.spawn(gateway.wait, task_id, 15.0)
    gateway.outcome(task_id)
    proxy.cut()
    assert waiter.get(timeout=20).state is TaskState.SUCCESS


def test_a_send_over_a_connection_that_was_lost_works(
    make_gateway: MakeGateway, proxy: FreezingProxy, work: Queue, target: Target
) -> None:
    gateway = make_gateway(proxy.url)
    other = queue(unique("other"))
    gateway.send(work, target.url)
    proxy.cut()
    gateway.send(other, target.url)
    assert gateway.wait(gateway.send(work, target.url)).state is TaskState.SUCCESS


def test_a_broker_that_hangs_is_unavailable_at_the_deadline(
    make_gateway: MakeGateway, proxy: FreezingProxy, work: Queue, target: Target
) -> None:
    gateway, healthy = make_gateway(proxy.url), make_gateway()
    gateway.send(work, target.url)
    proxy.freeze()
    began = time.monotonic()
    stuck = [gevent.spawn(gateway.send, queue(unique("q")), timeout_s=1.0) for _ in range(3)]
    assert healthy.wait(healthy.send(work, target.url)).state is TaskState.SUCCESS
    for sending in stuck:
        with pytest.raises(BrokerUnavailable, match="cannot be reached"):
            sending.get(timeout=10)
    assert time.monotonic() - began < 15
    proxy.thaw()
    eventually(lambda: gateway.wait(gateway.send(work, target.url)).state is TaskState.SUCCESS)


def test_a_broker_that_is_away_is_unavailable_and_no_secret_is_told(
    make_gateway: MakeGateway, url: str, work: Queue
) -> None:
    scheme = url.partition(":")[0]
    gateway = make_gateway(f"{scheme}://me:hidden@127.0.0.1:1/0")
    for call in (
        lambda: gateway.send(work),
        lambda: gateway.outcome(gateway.gateway.new_id(), 3.0),
        lambda: gateway.wait(gateway.gateway.new_id(), 0.5),
    ):
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1") as caught:
            call()
        assert "hidden" not in str(caught.value)


def test_all_connections_are_closed_when_it_stops(
    make_gateway: MakeGateway, proxy: FreezingProxy, work: Queue, target: Target
) -> None:
    gateway = make_gateway(proxy.url)
    gateway.wait(gateway.send(work, target.url))
    began = time.monotonic()
    gateway.stop()
    assert time.monotonic() - began < 10
    assert proxy.connections > 0
    eventually(lambda: proxy.open_connections == 0)


def test_a_connection_that_was_long_idle_is_not_trusted(
    make_gateway: MakeGateway, proxy: FreezingProxy, idle: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = make_gateway(proxy.url)
    gateway.send(idle)
    before = proxy.connections
    gateway.send(idle)
    assert proxy.connections == before
    monkeypatch.setattr("cyme.adapters.task_gateway.sender.IDLE_S", 0.0)
    gateway.send(idle)
    assert proxy.connections > before


def test_a_connection_that_declared_many_queues_gives_way_to_another(
    make_gateway: MakeGateway, proxy: FreezingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyme.adapters.task_gateway.sender.DECLARED_MAX", 5)
    gateway = make_gateway(proxy.url)
    same = queue(unique("same"))
    gateway.send(same)
    before = proxy.connections
    for _ in range(10):
        gateway.send(same)
    assert proxy.connections == before
    for _ in range(10):
        gateway.send(queue(unique("other")))
    assert proxy.connections > before


def test_kept_results_are_pruned_and_a_failure_to_is_survived(
    make_gateway: MakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cyme.adapters.task_gateway.gateway.PRUNE_PERIOD_S", 0.02)
    kept = Kept()
    kept.failures = 2
    make_gateway(kept=kept)
    eventually(lambda: kept.prunings >= 2)
    assert kept.failures == 0


def test_a_gateway_does_nothing_before_it_is_asked(make_gateway: MakeGateway) -> None:
    gateway = make_gateway("amqp://127.0.0.1:1//")
    assert gateway.broker == Broker("amqp://127.0.0.1:1//")
    gateway.stop()
