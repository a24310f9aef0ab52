"""Queued URLs and what became of them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from cyme.client.calls import Calls
from cyme.client.errors import TaskPending
from cyme.client.info import Info
from cyme.client.messages import Deadline, as_text, path_of
from cyme.client.models import object_of

#: One request waits no longer than this for a task, in seconds; a longer wait takes several.
WAIT_S_MAX = 60.0

#: The answer to a wait may come so much later than the wait ended, in seconds.
_WAIT_SLACK_S = 10.0

#: Everything that a URL may contain as it is.
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}#')


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What became of a task.

    Attributes:
        uuid: The task.
        state: ``SUCCESS``, ``FAILURE``, ``PENDING``, ...
        value: What it returned; for a queued URL the response: ``status_code``, ``url``,
            ``headers``, ``content``. The exception if it failed.
        traceback: Where it failed, None if it did not.
    """

    uuid: str
    state: str
    value: Any
    traceback: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in {"SUCCESS", "FAILURE", "REVOKED", "REJECTED", "IGNORED"}

    @property
    def has_succeeded(self) -> bool:
        """Whether it returned something."""
        return self.state == "SUCCESS"

    @property
    def content(self) -> bytes:
        """The body of the response to a queued URL."""
        if not isinstance(self.value, Mapping):
            return b""
        text = str(self.value.get("content", ""))
        if self.value.get("encoding") == "base64":
            return base64.b64decode(text)
        return text.encode()


class Task:
    """A task by its id.

    Attributes:
        app: The name of the app whose broker it went through.
        uuid: Its id.
        info: What was told when it was queued: ``url``, ``queue``, ``method``.
    """

    def __init__(
        self, calls: Calls, app: str, uuid: str, members: Mapping[str, Any] | None = None
    ) -> None:
        self._calls = calls
        self.app = app
        self.uuid = uuid
        self.info = Info(members or {})

    def state(self) -> str:
        """Return its state; a task that nobody knows is ``PENDING``."""
        return str(object_of(self._calls.ask("GET", self._path("state")))["state"])

    def result(self) -> TaskResult:
        """Return what became of it so far."""
        return _result(object_of(self._calls.ask("GET", self._path("result"))))

    def wait(self, timeout_s: float | None = WAIT_S_MAX) -> TaskResult:
        """Wait until it is done, and return what became of it.

        Args:
            timeout_s: How long to wait, in seconds; None is for ever.

        Raises:
            TaskPending: It is not done by then; it is a ``TimeoutError`` too.
        """
        deadline = Deadline(timeout_s)
        while True:
            wait_s = round(deadline.at_most_s(WAIT_S_MAX), 3)
            try:
                reply = self._calls.ask(
                    "GET",
                    self._path("wait"),
                    query={"timeout": wait_s},
                    timeout_s=max(wait_s + _WAIT_SLACK_S, self._calls.timeout_s),
                )
            except TaskPending:
                if deadline.left_s() == 0 or math.isclose(wait_s, deadline.timeout_s or -1.0):
                    raise
                continue
            return _result(object_of(reply))

    def _path(self, question: str) -> str:
        return path_of(self.app, "query", self.uuid, question)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Task):
            return NotImplemented
        return self.uuid == other.uuid

    def __hash__(self) -> int:
        return hash(self.uuid)

    def __repr__(self) -> str:
        return f"<Task: {self.uuid}>"


def queue_url(
    calls: Calls,
    app: str,
    queue: str,
    url: str,
    *,
    method: str = "GET",
    body: bytes | str | None = None,
    content_type: str | None = None,
    countdown_s: float | None = None,
    eta: datetime | None = None,
    expires: float | datetime | None = None,
    priority: int | None = None,
    retries: int | None = None,
    timeout_s: float | None = None,
) -> Task:
    """Queue a URL for a worker to request, and return the task.

    Args:
        calls: Asks the cluster.
        app: The name of the app.
        queue: A declared queue, or ``dq.<instance>`` for one worker.
        url: The URL with its query; it reaches the worker as it is.
        method: The verb of the worker's request.
        body: What the worker sends.
        content_type: The type of that.
        countdown_s: Not before so many seconds from now.
        eta: Not before this moment, which has a time zone.
        expires: Not later than this moment, or so many seconds from now.
        priority: 0 to 9.
        retries: How often to try again after a failed connection or an answer of 5xx.
        timeout_s: How long the worker's request may take, in seconds.
    """
    options = {
        "X-Cyme-Countdown": countdown_s,
        "X-Cyme-Eta": eta,
        "X-Cyme-Expires": expires,
        "X-Cyme-Priority": priority,
        "X-Cyme-Retries": retries,
        "X-Cyme-Timeout": timeout_s,
        "Content-Type": content_type,
    }
    path = path_of(app, "queue", queue) + quote(url.partition("#")[0], safe=_URL_SAFE)
    reply = calls.ask(
        method,
        path,
        body=body.encode() if isinstance(body, str) else body,
        headers={name: as_text(value) for name, value in options.items() if value is not None},
        is_idempotent=False,
    )
    uuid = reply.headers.get("x-cyme-task")
    found = {"url": url, "queue": queue, "method": method} if method == "HEAD" else object_of(reply)
    return Task(calls, app, uuid or str(found["uuid"]), found)


def _result(found: Mapping[str, Any]) -> TaskResult:
    return TaskResult(
        str(found["uuid"]), str(found["state"]), found.get("result"), found.get("traceback")
    )
