"""The parameters that requests take: one type a request, for validation and for OpenAPI.

A field is what a caller may give; ``None`` in its type means that null (or an empty string in a
form or a query) resets it.
"""

from __future__ import annotations

from msgspec import Struct, field

from cyme.api.values import (
    BrokerValue,
    Concurrency,
    Count,
    Delay,
    Environment,
    EventCount,
    Expiry,
    FewNames,
    Flag,
    Hostname,
    Kinds,
    Labels,
    LineCount,
    Moment,
    Name,
    Names,
    Options,
    Path,
    Pool,
    Port,
    Priority,
    Retries,
    RoleName,
    Seconds,
    Since,
    TaskCount,
    Text,
    Texts,
    Timeout,
    Url,
)

WAIT_S_DEFAULT = 60.0
TASKS_LISTED = 50


class Nothing(Struct, kw_only=True):
    """No parameters."""


class ListParameters(Struct, kw_only=True):
    """Whether a list shows what it names in full."""

    details: Flag = False


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
    pinned: Flag | None = None


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


class LogParameters(Struct, kw_only=True):
    """Which lines of a log, and whether to go on with those that are written from now on."""

    lines: LineCount | None = None
    since: Since | None = None
    follow: Flag = False


class DeletionParameters(Struct, kw_only=True):
    """How something is deleted that others depend on, or whose branch is gone."""

    force: Flag = False


class NamedDeletionParameters(DeletionParameters, kw_only=True):
    """The same, and what is deleted; the name is needed, nothing is deleted without."""

    name: Name | None = None


class TokenParameters(Struct, kw_only=True):
    """What the bearer of a token may do; the token itself, where it was made already."""

    role: RoleName = "viewer"
    secret: Text | None = None


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


class PurgeParameters(Struct, kw_only=True):
    """How many messages the caller thinks that there are."""

    expect: Count


class RebalanceParameters(Struct, kw_only=True):
    """Whether instances really move, or it is only told which would."""

    dry_run: Flag = False


class WaitParameters(Struct, kw_only=True):
    """How long a task is waited for."""

    timeout: Seconds = WAIT_S_DEFAULT


class EventParameters(Struct, kw_only=True):
    """Which events, and how many of those that have happened already."""

    app: FewNames | None = None
    instance: FewNames | None = None
    branch: FewNames | None = None
    kind: Kinds | None = None
    since: Since | None = None
    limit: EventCount | None = None
    follow: Flag = True
    tasks: Flag = False
    rows: Flag = False


class SeenTaskParameters(Struct, kw_only=True):
    """Which of the tasks that were seen lately; a task must be as every one of these says."""

    app: Texts | None = None
    instance: Texts | None = None
    queue: Texts | None = None
    state: Texts | None = None
    q: Text | None = None
    limit: TaskCount = TASKS_LISTED


#: Other names of parameters.
ALIASES = {"vhost": "virtual_host"}
