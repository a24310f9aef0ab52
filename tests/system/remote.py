"""What a user's own program does: speak to the app's broker through Celery."""

from __future__ import annotations

from urllib.parse import quote

from celery import Celery

from tests.system.branches import Branch

ANSWER_TIMEOUT_S = 2.0


def broker_url(branch: Branch, app: str) -> str:
    """Return the URL of an app's broker, as its representation tells it to an operator."""
    broker = branch.member(f"/{app}/", "broker")
    assert isinstance(broker, dict)
    return str(broker["url"]).replace("********", quote(str(broker["password"]), safe=""))


def consumed_queues(branch: Branch, app: str, instance: str) -> set[str]:
    """Return what the worker itself says it consumes from; nothing if it does not answer."""
    node = f"{instance}@{branch.name}"
    with Celery(broker=broker_url(branch, app), set_as_current=False) as celery:
        inspection = celery.control.inspect([node], timeout=ANSWER_TIMEOUT_S)
        queues = (inspection.active_queues() or {}).get(node, [])
        return {queue["name"] for queue in queues}


def send_task(branch: Branch, app: str, queue: str, name: str, *arguments: object) -> None:
    """Send a task to a queue of an app."""
    with Celery(broker=broker_url(branch, app), set_as_current=False) as celery:
        celery.send_task(name, arguments, queue=queue, ignore_result=True)
