"""The parameters that requests take: one type a request, for validation and for OpenAPI.

A field is what a caller may give; ``None`` in its type means that null (or an empty string in a
form or a query) resets it. The description of a field completes 'it must be ...' in an error.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

TEXT_CHARS_MAX = 8192
LABELS_CHARS_MAX = 4096
CONCURRENCY_MAX = 10_000
WAIT_S_MAX = 600.0
WAIT_S_DEFAULT = 60.0
DELAY_S_MAX = 366 * 24 * 3600.0

Text = Annotated[
    str,
    Meta(max_length=TEXT_CHARS_MAX, description=f"a text of at most {TEXT_CHARS_MAX} characters"),
]
Path = Annotated[
    str,
    Meta(pattern="^/", max_length=4096, description="an absolute path of at most 4096 characters"),
]
Concurrency = Annotated[
    int,
    Meta(ge=1, le=CONCURRENCY_MAX, description=f"a whole number from 1 to {CONCURRENCY_MAX}"),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port number from 1 to 65535")]
Hostname = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._:-]+$",
        max_length=255,
        description="a host name or an address without scheme, port or brackets",
    ),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9+._-]*://[^\s]*$",
        max_length=2048,
        description="a URL such as amqp://user:password@host:5672/vhost",
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="a name of 1 to 128 letters, digits, '.', '_' and '-'",
    ),
]
Pool = Annotated[
    Literal["prefork", "threads", "gevent", "eventlet", "solo"],
    Meta(description="one of prefork, threads, gevent, eventlet, solo"),
]
Flag = Annotated[bool, Meta(description="true or false")]
Names = Annotated[
    list[Name], Meta(max_length=1000, description="names, as a list or separated by commas")
]
Environment = Annotated[
    dict[str, str], Meta(max_length=1000, description="a JSON object of names and texts")
]
Labels = Annotated[
    Annotated[str, Meta(max_length=LABELS_CHARS_MAX)] | dict[str, str],
    Meta(description="labels such as zone=a,disk=ssd, or a JSON object of them"),
]
Options = Annotated[dict[str, Any], Meta(description="a JSON object")]
Seconds = Annotated[
    float, Meta(ge=0, le=WAIT_S_MAX, description=f"a number of seconds from 0 to {WAIT_S_MAX:g}")
]
Delay = Annotated[
    float, Meta(ge=0, le=DELAY_S_MAX, description="a number of seconds from 0 to a year")
]
Moment = Annotated[
    datetime, Meta(tz=True, description="a moment with its time zone, as 2030-01-31T12:00:00Z")
]
Expiry = Annotated[
    Annotated[float, Meta(ge=0, le=DELAY_S_MAX)] | Annotated[datetime, Meta(tz=True)],
    Meta(description="a number of seconds from 0 to a year, or a moment with its time zone"),
]
Priority = Annotated[int, Meta(ge=0, le=9, description="a whole number from 0 to 9")]
Retries = Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")]
Timeout = Annotated[
    float, Meta(gt=0, le=3600, description="a number of seconds over 0, up to 3600")
]


class BrokerFields(Struct, kw_only=True, frozen=True):
    """A broker as replies print it, so that what was read can be sent back."""

    hostname: Hostname | None = None
    port: Port | None = None
    userid: Text | None = None
    password: Text | None = None
    virtual_host: Text | None = None
    url: Url | None = None


BrokerValue = Annotated[
    Url | BrokerFields, Meta(description="a URL such as redis://host:6379/0, or the five fields")
]


class Nothing(Struct, kw_only=True):
    """No parameters."""


class WorkerParameters(Struct, kw_only=True):
    """How workers are run: of an app, the default of its instances."""

    hostname: Hostname | None = None
    port: Port | None = None
    userid: Text | None = None
    password: Text | None = None
    virtual_host: Text | None = None
    broker: BrokerValue | None = None
    result_backend: Url | None = None
    pool: Pool | None = None
    min_concurrency: Concurrency | None = None
    max_concurrency: Concurrency | None = None
    arguments: Text | None = None
    extra_config: Text | None = None
    is_enabled: Flag | None = None
    celery_app: Text | None = None
    workdir: Path | None = None
    python: Path | None = None
    env: Environment | None = None
    labels: Labels | None = None


class InstanceParameters(WorkerParameters, kw_only=True):
    """How the worker of an instance is run, what it consumes and where it is placed."""

    queues: Names | None = None
    branch: Name | None = None


class NewInstanceParameters(InstanceParameters, kw_only=True):
    """The same, and the name; without one the instance is named by a UUID."""

    name: Name | None = None


class QueueParameters(Struct, kw_only=True):
    """A queue declaration."""

    exchange: Text | None = None
    exchange_type: Text | None = None
    routing_key: Text | None = None
    options: Options | None = None


class NewQueueParameters(QueueParameters, kw_only=True):
    """The same, and the name."""

    name: Name


class DeletionParameters(Struct, kw_only=True):
    """How something is deleted that others depend on, or whose branch is gone."""

    force: Flag = False


class NamedDeletionParameters(DeletionParameters, kw_only=True):
    """The same, and what is deleted; the name is needed, nothing is deleted without."""

    name: Name | None = None


class AutoscaleParameters(Struct, kw_only=True):
    """The limits of an instance's concurrency."""

    max: Concurrency | None = None
    min: Concurrency | None = None


class SendHeaders(Struct, kw_only=True):
    """How a queued URL is requested; headers, so that the target's own query stays its own."""

    countdown: Delay | None = field(default=None, name="X-Cyme-Countdown")
    eta: Moment | None = field(default=None, name="X-Cyme-Eta")
    expires: Expiry | None = field(default=None, name="X-Cyme-Expires")
    priority: Priority | None = field(default=None, name="X-Cyme-Priority")
    retries: Retries | None = field(default=None, name="X-Cyme-Retries")
    timeout: Timeout | None = field(default=None, name="X-Cyme-Timeout")


class MoveParameters(Struct, kw_only=True):
    """Where an instance moves to; without a branch to whichever is fit."""

    branch: Name | None = None


class RebalanceParameters(Struct, kw_only=True):
    """Whether instances really move, or it is only told which would."""

    dry_run: Flag = False


class WaitParameters(Struct, kw_only=True):
    """How long a task is waited for."""

    timeout: Seconds = WAIT_S_DEFAULT


#: Other names of parameters.
ALIASES = {"vhost": "virtual_host"}
