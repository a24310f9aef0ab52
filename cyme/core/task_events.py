"""Celery's events of tasks and workers, as far as they are used here: plain values.

What they are made of stands in Celery's "Monitoring and Management Guide", section "Event
Reference". Arguments and results are left out where the events are read, as they may hold secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit, urlunsplit

UUID_CHARS_MAX = 255
NAME_CHARS_MAX = 256
QUEUE_CHARS_MAX = 256
NODE_CHARS_MAX = 512
EXCEPTION_CHARS_MAX = 200
URL_CHARS_MAX = 500

#: An event that claims to be further from now than this is taken to be of now, in seconds.
SKEW_S_MAX = 3600.0

#: The task that requests a queued URL, whose arguments are told without secrets.
QUEUED_URL_TASK: Final = "cyme.tasks.webhook"

_QUEUED_URL = re.compile(r"""['"]url['"]: (['"])(.*?)\1""")
_CLASS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,100}")


class TaskDeed(StrEnum):
    """What became of a task, as the events are named behind ``task-``."""

    SENT = "sent"
    RECEIVED = "received"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    REVOKED = "revoked"
    REJECTED = "rejected"


#: The state of a task after a deed, in Celery's words.
STATES: Final[Mapping[TaskDeed, str]] = {
    TaskDeed.SENT: "PENDING",
    TaskDeed.RECEIVED: "RECEIVED",
    TaskDeed.STARTED: "STARTED",
    TaskDeed.SUCCEEDED: "SUCCESS",
    TaskDeed.FAILED: "FAILURE",
    TaskDeed.RETRIED: "RETRY",
    TaskDeed.REVOKED: "REVOKED",
    TaskDeed.REJECTED: "REJECTED",
}


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """Something that became of a task.

    Attributes:
        deed: What.
        uuid: The task's id.
        node: Celery's node name of the worker, or of who sent the task.
        at: When, seconds since 1970 UTC.
        name: The task's name, where the event tells it.
        queue: The queue that it was sent to, where the event tells it.
        runtime_s: How long it ran, in seconds, where the event tells it.
        exception: What it failed with, cut short; empty where there is none.
        retries: How often it was tried again, where the event tells it.
        url: Of a queued URL, without its query, user and password.
        app: The app that it was queued through, where a branch has sent it.
    """

    deed: TaskDeed
    uuid: str
    node: str
    at: float
    name: str = ""
    queue: str = ""
    runtime_s: float | None = None
    exception: str = ""
    retries: int | None = None
    url: str = ""
    app: str = ""


@dataclass(frozen=True, slots=True)
class WorkerEvent:
    """A worker's sign of life, or its farewell.

    Attributes:
        node: Its node name.
        at: When, seconds since 1970 UTC.
        online: Whether it is there.
        active: How many tasks it works on, where it tells.
        period_s: How often it gives a sign of life, in seconds, where it tells.
    """

    node: str
    at: float
    online: bool
    active: int | None = None
    period_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentTask:
    """A task that a branch has sent, which workers tell nothing of until one takes it.

    Attributes:
        broker: The key of the broker that it went to, as from ``cyme.core.collectors``.
        uuid: Its id.
        name: Its name.
        app: The app that it was queued through.
        queue: The queue that it went to.
        url: What is requested, without its query, user and password.
        at: When it was sent, seconds since 1970 UTC.
    """

    broker: str
    uuid: str
    name: str
    app: str
    queue: str
    url: str
    at: float

    def as_event(self, node: str) -> TaskEvent:
        """Return it as the event of who sent it."""
        return TaskEvent(
            deed=TaskDeed.SENT,
            uuid=self.uuid,
            node=node,
            at=self.at,
            name=self.name,
            queue=self.queue,
            url=self.url,
            app=self.app,
            retries=0,
        )


def moment_of(claimed: float, now: float) -> float:
    """Return when an event happened: what it claims, or now where that cannot be."""
    return claimed if abs(claimed - now) <= SKEW_S_MAX else now


def url_told(url: str) -> str:
    """Return a URL without its query, fragment, user and password; nothing if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))[:URL_CHARS_MAX]


def url_in(kwargs: str) -> str:
    """Return the URL in what an event tells of the arguments of a queued URL, as ``url_told``.

    Args:
        kwargs: As ``repr`` writes a map.
    """
    found = _QUEUED_URL.search(kwargs)
    return url_told(found[2]) if found else ""


def exception_class(exception: str) -> str:
    """Return the class in what ``repr`` wrote of an exception, ``Exception`` if there is none."""
    found = _CLASS_NAME.match(exception)
    return found[0] if found else "Exception"
