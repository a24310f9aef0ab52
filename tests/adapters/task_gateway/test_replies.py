"""Results that come through RabbitMQ are lost by nobody: not by it, not by us, not in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest

from cyme.adapters.task_gateway.lines import Line
from cyme.adapters.task_gateway.replies import reply_queue_of
from cyme.core.model import Queue
from cyme.core.tasks import SendOptions, TaskState
from tests.adapters.proxy import FreezingProxy
from tests.adapters.task_gateway.conftest import MakeGateway
from tests.adapters.task_gateway.ground import Kept, Worker, celery_app, queue, running, unique
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq]


@pytest.fixture(scope="module")
def url(rabbitmq_url: str) -> str:
    return rabbitmq_url


@pytest.fixture
def connection(url: str) -> Iterator[kombu.Connection]:
    with celery_app(url).connection_for_read() as connection:
        yield connection


def waiting_replies(connection: kombu.Connection, branch: str) -> int:
    replies = reply_queue_of(branch)(connection.default_channel)
    return int(replies.queue_declare(passive=True).message_count)


def test_results_that_came_while_the_branch_was_away_are_collected(
    make_gateway: MakeGateway, work: Queue, target: Target, connection: kombu.Connection
) -> None:
    first = make_gateway()
    ids = [first.send(work, target.url, options=SendOptions(countdown_s=0.5)) for _ in range(5)]
    first.stop()
    eventually(lambda: waiting_replies(connection, first.branch) == 5)
    second = make_gateway(branch=first.branch)
    assert [second.outcome(task_id).state for task_id in ids] == [TaskState.SUCCESS] * 5
    eventually(lambda: set(second.kept) == set(ids))
    assert waiting_replies(connection, first.branch) == 0


def test_a_kept_result_is_known_after_a_restart(
    make_gateway: MakeGateway, work: Queue, target: Target
) -> None:
    first = make_gateway()
    task_id = first.send(work, target.url)
    outcome = first.wait(task_id)
    eventually(lambda: task_id in first.kept)
    first.stop()
    second = make_gateway(branch=first.branch, kept=first.kept)
    assert second.outcome(task_id) == outcome
    assert second.wait(task_id) == outcome


def test_a_result_stays_with_the_broker_until_it_is_kept(
    make_gateway: MakeGateway, work: Queue, target: Target, connection: kombu.Connection
) -> None:
    kept = Kept()
    kept.failures = 2
    gateway = make_gateway(kept=kept)
    task_id = gateway.send(work, target.url)
    assert gateway.wait(task_id).state is TaskState.SUCCESS
    eventually(lambda: task_id in kept)
    assert kept.failures == 0
    eventually(lambda: waiting_replies(connection, gateway.branch) == 0)


def test_a_broker_that_hangs_while_results_are_awaited_is_left_at_the_missing_heartbeat(
    make_gateway: MakeGateway,
    proxy: FreezingProxy,
    work: Queue,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cyme.adapters.task_gateway.lines.HEARTBEAT_S", 1)
    monkeypatch.setattr("cyme.adapters.task_gateway.replies.TICK_S", 0.2)
    gateway = make_gateway(proxy.url)
    task_id = gateway.send(work, target.url, options=SendOptions(countdown_s=1.0))
    gateway.outcome(task_id)
    before = proxy.connections
    proxy.freeze()
    eventually(lambda: proxy.connections > before, 15)
    proxy.thaw()
    assert gateway.wait(task_id).state is TaskState.SUCCESS


def test_a_connection_that_cannot_even_be_made_is_tried_again(
    make_gateway: MakeGateway, work: Queue, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [ImportError("no such transport"), OSError("too many open files")]

    def line(*arguments: Any, **options: Any) -> Line:
        if failures:
            raise failures.pop(0)
        return Line(*arguments, **options)

    monkeypatch.setattr("cyme.adapters.task_gateway.replies.Line", line)
    gateway = make_gateway()
    assert gateway.wait(gateway.send(work, target.url)).state is TaskState.SUCCESS
    assert failures == []


def test_what_is_no_reply_to_us_is_dropped_and_stops_nothing(
    make_gateway: MakeGateway, work: Queue, target: Target, connection: kombu.Connection
) -> None:
    gateway = make_gateway()
    gateway.wait(gateway.send(work, target.url))
    name = reply_queue_of(gateway.branch).name
    own, unreadable = gateway.gateway.new_id(), gateway.gateway.new_id()
    with connection.Producer() as producer:
        for properties in (
            {"correlation_id": "nobody's"},
            {},
            {"correlation_id": "x" * 200, "serializer": "pickle"},
            {"correlation_id": unreadable, "serializer": "pickle"},
            {"correlation_id": own},
        ):
            body = {"status": "SUCCESS", "result": "told", "task_id": own}
            producer.publish(body, exchange="", routing_key=name, **properties)
    assert gateway.wait(own).result == "told"
    outcome = gateway.wait(unreadable)
    assert isinstance(outcome.result, dict)
    assert outcome.result["exc_type"] == "ResultUnreadable"
    eventually(lambda: {own, unreadable} <= set(gateway.kept))
    eventually(lambda: waiting_replies(connection, gateway.branch) == 0)
    assert "nobody's" not in gateway.kept


def test_results_come_back_through_redis_too_where_that_is_wanted(
    make_gateway: MakeGateway, redis_url: str, target: Target, tmp_path: Path
) -> None:
    gateway, consumed = make_gateway(redis_url), queue(unique("work"))
    gateway.result_backend = "rpc://"
    env = {"CELERY_RESULT_BACKEND": "rpc://"}
    with running(Worker(redis_url, tmp_path, [consumed], env=env)):
        task_id = gateway.send(consumed, target.url)
        assert gateway.wait(task_id).state is TaskState.SUCCESS
        eventually(lambda: task_id in gateway.kept)


def test_the_reply_queue_is_durable_and_bounded(
    make_gateway: MakeGateway, work: Queue, connection: kombu.Connection, tmp_path: Path
) -> None:
    gateway = make_gateway()
    gateway.outcome(gateway.send(work))
    declared = reply_queue_of(gateway.branch)
    assert (declared.durable, declared.expires) == (True, 24 * 3600)
    assert declared.max_length is not None
    assert declared.max_length_bytes is not None
    declared(connection.default_channel).queue_declare()
