"""What is sent to one instance waits for it, though it is deleted and made again."""

from __future__ import annotations

import kombu
import pytest
from amqp.exceptions import ChannelError
from celery import Celery

from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

DAY_S = 24 * 3600
STOP_S = 60.0


@pytest.fixture(
    params=[
        pytest.param("rabbitmq_url", marks=pytest.mark.rabbitmq, id="rabbitmq"),
        pytest.param("redis_url", marks=pytest.mark.redis, id="redis"),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def branch(url: str, start_branch: StartBranch) -> Branch:
    branch = start_branch("--broker", url)
    branch.put("/foo/instances/w1/")
    branch.running("foo", "w1")
    return branch


def waiting(url: str) -> int:
    """Return how many messages are in the instance's queue and at no worker."""
    with kombu.Connection(url) as connection:
        try:
            told = connection.channel().queue_declare(queue="dq.w1", passive=True)
        except ChannelError:  # Redis keeps no queue that is empty
            return 0
        return int(told.message_count)


def delete(branch: Branch) -> None:
    """Delete the instance, and wait until nothing of it is left."""
    assert branch.ask("DELETE", "/foo/instances/w1/").status == 200
    eventually(lambda: not (branch.workers_directory / "w1").exists(), STOP_S)


def test_what_is_sent_while_the_instance_is_deleted_reaches_the_next_one(
    branch: Branch, url: str, target: Target
) -> None:
    with Celery(broker=url, set_as_current=False) as celery, celery.producer_pool.acquire() as way:

        def send(path: str) -> None:
            celery.send_task(
                "cyme.tasks.webhook",
                kwargs={"method": "GET", "url": target.url + path},
                queue="dq.w1",
                producer=way,
                ignore_result=True,
            )

        send("/before")
        eventually(lambda: [seen.target for seen in target.seen] == ["/before"])
        delete(branch)
        send("/between")
        branch.put("/foo/instances/w1/")
        eventually(lambda: [seen.target for seen in target.seen] == ["/before", "/between"], STOP_S)


def test_what_a_deleted_worker_held_for_later_goes_to_the_next_one(
    branch: Branch, url: str
) -> None:
    later = {"X-Cyme-Countdown": str(DAY_S)}
    queued = branch.ask("GET", "/foo/queue/dq.w1/http://127.0.0.1:1/", headers=later)
    assert queued.status == 202
    eventually(lambda: waiting(url) == 0)
    delete(branch)
    eventually(lambda: waiting(url) == 1)
    branch.put("/foo/instances/w1/")
    eventually(lambda: waiting(url) == 0, STOP_S)
