"""A queued URL as a message of Celery."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu import Queue as Declaration

from cyme.core.model import masked
from cyme.core.tasks import SENT_AT_HEADER, SendOptions, WebhookRequest

TASK = "cyme.tasks.webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A task to publish.

    Attributes:
        task: What ``Celery.amqp.create_task_message`` made.
        priority: For the broker, or None.
        reply_queue: The queue that the result comes back through, or None.
    """

    task: Any
    priority: int | None
    reply_queue: Declaration | None


def message_of(
    app: Celery,
    task_id: str,
    request: WebhookRequest,
    options: SendOptions,
    *,
    reply_queue: Declaration | None,
    now: float,
) -> Message:
    """Write a request as a task.

    Args:
        app: Any Celery application; it knows the protocol.
        task_id: The task's id.
        request: What is to be requested.
        options: When, and how urgently.
        reply_queue: The queue that the result comes back through, or None.
        now: Seconds since 1970, UTC.
    """
    task = app.amqp.as_task_v2(
        task_id,
        TASK,
        kwargs={
            "method": request.method,
            "url": request.url,
            "body": base64.b64encode(request.body).decode(),
            "content_type": request.content_type,
            "timeout_s": request.timeout_s,
            "retries": request.retries,
        },
        countdown=options.countdown_s,
        eta=options.eta,
        expires=options.expires_s if options.expires_s is not None else options.expires_at,
        reply_to=reply_queue.name if reply_queue is not None else None,
        # These show up in logs and events, where no password, token or body belongs.
        argsrepr="()",
        kwargsrepr=repr({"method": request.method, "url": masked(request.url).partition("?")[0]}),
    )
    task.headers[SENT_AT_HEADER] = round(now, 3)
    return Message(task=task, priority=options.priority, reply_queue=reply_queue)
