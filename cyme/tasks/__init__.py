"""What Cyme adds to a worker: the task that requests a queued URL, and an application to run it.

Laws of this package:

* only the standard library, Celery and Kombu are imported, and nothing of Cyme but its version,
  so that it serves in the user's own virtual environment as well;
* to import it into the user's application changes nothing there but that the task is known;
* what goes out is what was queued, byte for byte;
* the address that was checked is the one that is connected to: a name is looked up once for each
  request, and a redirect is a new request;
* every wait ends at one deadline, however slowly the target sends;
* a user and a password in a URL reach the target only: no message and no result names them;
* a query, which may hold a token, is in no message and in no log.
"""

from __future__ import annotations

import base64
import binascii
import random
import time
from typing import Any

from celery import Celery, shared_task

from cyme.tasks.failures import (
    WebhookError,
    WebhookFailed,
    WebhookForbidden,
    WebhookInvalid,
)
from cyme.tasks.queues import consume_declared
from cyme.tasks.reach import Reach
from cyme.tasks.requests import Request, follow
from cyme.tasks.results import WebhookTask
from cyme.tasks.urls import Url

__all__ = [
    "app",
    "webhook",
    "consume_declared",
    "WebhookError",
    "WebhookFailed",
    "WebhookForbidden",
    "WebhookInvalid",
]

RETRY_S_FIRST = 1.0
RETRY_S_MAX = 60.0
#: So much of a result is logged, and sent with events: its status, and not the URL behind it.
LOGGED_CHARS = len("{'status_code': 200")
#: Answers from here on are the target's own failures.
SERVER_ERROR = 500

app = Celery("cyme", set_as_current=False)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    result_expires=24 * 3600,
    result_persistent=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
)


@shared_task(  # type: ignore[untyped-decorator]
    bind=True,
    base=WebhookTask,
    name="cyme.tasks.webhook",
    ignore_result=False,
    resultrepr_maxsize=LOGGED_CHARS,
)
def webhook(
    self: Any,
    *,
    method: str,
    url: str,
    body: str = "",
    content_type: str | None = None,
    timeout_s: float = 60.0,
    retries: int = 0,
) -> dict[str, object]:
    """Request a URL and return the response, whatever its status is.

    Args:
        self: The task.
        method: Any verb.
        url: Its path and query go on the wire as they are.
        body: The body's bytes in base64.
        content_type: The body's type.
        timeout_s: How long all of it may take, redirects included, in seconds.
        retries: How often to try again, later and later, when the target cannot be reached or
            answers with 5xx; the last 5xx is the result.

    Returns:
        ``status_code``, ``url`` (where redirects led to), ``headers``, ``content``; with
        ``encoding: base64`` if that is not text, and ``truncated: true`` if there was more.

    Raises:
        WebhookFailed: There was no answer.
        WebhookForbidden: The target, or one that it redirects to, may not be reached.
        WebhookInvalid: The arguments cannot be turned into a request.
    """
    failure = None
    try:
        request = Request(
            method=method,
            url=Url.read(url),
            body=base64.b64decode(body, validate=True),
            content_type=content_type,
        )
        response = follow(request, Reach.of_environment(), time.monotonic() + timeout_s)
        if int(str(response["status_code"])) < SERVER_ERROR or self.request.retries >= retries:
            return response
        failure = WebhookFailed(f"{request.url.told} answered {response['status_code']}")
    except WebhookFailed as exc:
        failure = exc
    except (binascii.Error, UnicodeError) as exc:
        raise WebhookInvalid(f"The request cannot be made: {exc}") from exc
    # A URL may hold a password or a token, so what is logged of the new message is said here.
    raise self.retry(
        exc=failure,
        countdown=retry_delay_s(self.request.retries),
        max_retries=retries,
        argsrepr="()",
        kwargsrepr=repr({"method": method, "url": request.url.told}),
    )


def retry_delay_s(retries: int) -> float:
    """Return how long to wait before a request is tried again, in seconds.

    Args:
        retries: How often it was tried again already.
    """
    longest = min(RETRY_S_MAX, RETRY_S_FIRST * 2 ** min(retries, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, keeps no secret
