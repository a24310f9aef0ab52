"""A queued URL and what became of it: plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

#: The header of a queued URL's message that tells when it was sent, seconds since 1970 UTC, so
#: that a queue can be asked for how long its oldest message has waited.
SENT_AT_HEADER: Final = "cyme_sent_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """An HTTP request that a worker is to make.

    Attributes:
        method: The verb, upper case.
        url: Scheme, host, path and query exactly as they go on the wire.
        body: The body's bytes.
        content_type: The body's type, if the caller named one.
        timeout_s: How long the worker may take for it, in seconds.
        retries: How often the worker tries again after a failure to connect or a 5xx answer.
    """

    method: str
    url: str
    body: bytes = b""
    content_type: str | None = None
    timeout_s: float = 60.0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """When and how urgently a task is to run.

    Attributes:
        countdown_s: Not before so many seconds from now.
        eta: Not before this moment (aware, UTC).
        expires_s: Not later than so many seconds from now.
        expires_at: Not later than this moment (aware, UTC).
        priority: 0 to 9; what it means is the broker's matter.
    """

    countdown_s: float | None = None
    eta: datetime | None = None
    expires_s: float | None = None
    expires_at: datetime | None = None
    priority: int | None = None


class TaskState(StrEnum):
    """The states of a task, as Celery names them. An id that nobody knows is ``PENDING``."""

    PENDING = "PENDING"
    RECEIVED = "RECEIVED"
    STARTED = "STARTED"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"

    @property
    def is_final(self) -> bool:
        """Whether a task in this state never changes again."""
        return self in {TaskState.SUCCESS, TaskState.FAILURE, TaskState.REVOKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of a task.

    Attributes:
        state: Its state.
        result: Its return value (JSON types); for a failure a map with ``exc_type`` and
            ``exc_message``.
        traceback: The worker's traceback, for a failure.
    """

    state: TaskState
    result: object = None
    traceback: str | None = None


PENDING = Outcome(state=TaskState.PENDING)
