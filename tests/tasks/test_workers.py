"""The task runs in real workers: in every pool, in Cyme's application and in the user's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import celery
import pytest

from cyme.core.tasks import TaskState
from tests.adapters.task_gateway.ground import Gateway, Worker, queue, running, unique
from tests.system.target import Target, http_target

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq, pytest.mark.redis]

USERS_APP = """
from celery import Celery, current_app, shared_task
app = Celery("theirs")
app.conf.task_ignore_result = True

@app.task
def seen():
    return current_app.main

@shared_task(ignore_result=False)
def name_of_current_app():
    return current_app.main
"""


@pytest.fixture
def target() -> Iterator[Target]:
    with http_target() as target:
        yield target


@pytest.fixture
def gateway(rabbitmq_url: str) -> Iterator[Gateway]:
    gateway = Gateway(rabbitmq_url)
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "gevent", "eventlet"])
def test_every_pool_requests_urls_and_consumes_from_declared_queues(
    gateway: Gateway, rabbitmq_url: str, target: Target, tmp_path: Path, pool: str
) -> None:
    plain = queue(unique("plain"))
    topic = queue(unique("topic"), exchange=unique("x"), exchange_type="topic", routing_key="a.#")
    with running(Worker(rabbitmq_url, tmp_path, [plain, topic], pool=pool)) as worker:
        for to in (plain, topic):
            task_id = gateway.send(to, f"{target.url}/{pool}?token=hu%2Fsh", "POST", body=b"\xff")
            outcome = gateway.wait(task_id)
            assert outcome.state is TaskState.SUCCESS, worker.log.read_text()
            assert "?token=hu%2Fsh" in repr(outcome.result)
        refused = gateway.send(plain, "http://127.0.0.1:1/?token=hu%2Fsh", timeout_s=5.0, retries=1)
        assert gateway.wait(refused).state is TaskState.FAILURE
        assert "hu%2Fsh" not in repr(gateway.wait(refused))
        log = worker.log.read_text()
        assert "{'status_code': 200" in log
        assert "hu%2Fsh" not in log
    assert {(seen.target, seen.body) for seen in target.seen} == {
        (f"/{pool}?token=hu%2Fsh", b"\xff")
    }


def test_the_users_application_stays_itself(
    gateway: Gateway, rabbitmq_url: str, redis_url: str, target: Target, tmp_path: Path
) -> None:
    (tmp_path / "theirs.py").write_text(USERS_APP)
    plain = queue(unique("plain"))
    env = {"CELERY_RESULT_BACKEND": redis_url}
    worker = Worker(
        rabbitmq_url, tmp_path, [plain], app="theirs", include="cyme.tasks", pool="prefork", env=env
    )
    gateway.result_backend = redis_url
    with running(worker):
        outcome = gateway.wait(gateway.send(plain, target.url))
        assert outcome.state is TaskState.SUCCESS
        caller = celery.Celery(broker=rabbitmq_url, backend=redis_url, set_as_current=False)
        named = caller.send_task("theirs.name_of_current_app", queue=plain.name)
        assert named.get(timeout=15) == "theirs"
    text = worker.log.read_text()
    assert "app:         theirs" in text
    assert "cyme.tasks.webhook" in text


def test_a_declaration_that_cannot_be_used_costs_the_worker_nothing(
    gateway: Gateway, rabbitmq_url: str, target: Target, tmp_path: Path
) -> None:
    taken, plain = unique("taken"), queue(unique("plain"))
    gateway.send(queue(taken, options={"max_priority": 3}))
    good = queue(unique("good"), exchange=unique("x"), exchange_type="topic", routing_key="a")
    declarations = [
        {"name": taken, "exchange": taken, "exchange_type": "fanout"},
        {"name": taken, "options": {"max_priority": 9}},
        {"name": unique("odd"), "exchange_type": "x-odd"},
        {"name": unique("odd"), "options": 7},
        {"nameless": True},
        "nonsense",
        {
            "name": good.name,
            "exchange": good.exchange,
            "exchange_type": "topic",
            "routing_key": "a",
        },
    ]
    env = {"CYME_QUEUES": json.dumps(declarations)}
    with running(Worker(rabbitmq_url, tmp_path, [plain], env=env)) as worker:
        for to in (plain, good):
            assert gateway.wait(gateway.send(to, target.url)).state is TaskState.SUCCESS
        assert worker.log.read_text().count("is left out") == 6


def test_declarations_that_are_no_json_cost_the_worker_nothing(
    gateway: Gateway, rabbitmq_url: str, target: Target, tmp_path: Path
) -> None:
    plain = queue(unique("plain"))
    with running(Worker(rabbitmq_url, tmp_path, [plain], env={"CYME_QUEUES": "{"})):
        assert gateway.wait(gateway.send(plain, target.url)).state is TaskState.SUCCESS


@pytest.fixture
def theirs() -> Iterator[celery.Celery]:
    """Yield an application that is the current one for the time being."""
    before = celery.current_app._get_current_object()
    theirs = celery.Celery("theirs", set_as_current=False)
    theirs.set_current()
    yield theirs
    before.set_current()


def test_importing_the_tasks_changes_no_application(theirs: celery.Celery) -> None:
    from cyme import tasks  # noqa: PLC0415 - that it changes nothing is what is tested

    assert celery.current_app.main == "theirs"
    assert tasks.app.main == "cyme"
    theirs.finalize()
    assert "cyme.tasks.webhook" in theirs.tasks


def test_our_application_speaks_json_only_and_waits_for_its_broker_for_ever() -> None:
    from cyme.tasks import app  # noqa: PLC0415 - beside the import above

    assert app.conf.accept_content == ["json"]
    assert (app.conf.task_serializer, app.conf.result_serializer) == ("json", "json")
    assert app.conf.broker_connection_retry_on_startup is True
    assert app.conf.broker_connection_max_retries is None
