"""From the records of an instance to what it takes to start its worker.

Laws:

* no secret is among the options and settings: a command line is read by everybody;
* the digest covers what a running worker cannot be told, and nothing else: a change of it
  restarts the worker. What the branch chose for itself (its directory, its log level, its own
  interpreter) is not covered, so that a branch that starts anew adopts its workers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from cyme.core.model import DEFAULT_SPEC, App, Broker, Instance, Queue, WorkerSpec, env_map
from cyme.core.names import direct_queue, node_name
from cyme.core.pools import POOLS, Pool
from cyme.core.worker_options import read_arguments
from cyme.core.worker_settings import read_settings
from cyme.core.workers import Launch
from cyme.errors import InvalidRequest

#: Cyme's own Celery application, which also holds the task that requests a queued URL.
OWN_APP = "cyme.tasks"

#: How often a worker sends a heartbeat event, in seconds: seldom, as there are many workers.
HEARTBEAT_INTERVAL_S = 60

#: Kinds of broker that keep results too.
RESULT_KEEPING_SCHEMES = frozenset({"redis", "rediss", "sentinel"})

#: Where results go when nothing else is named: back to who sent the task.
RPC_BACKEND = "rpc://"

# Workers wait for their broker as long as it takes; Celery would give up after 100 tries. The
# others are what Cyme reaches workers by: an application that says otherwise would seem silent.
_SETTINGS = {
    "broker_connection_retry_on_startup": "(bool)true",
    "broker_connection_max_retries": "(json)null",
    "worker_enable_remote_control": "(bool)true",
    "control_exchange": "celery",
    "task_create_missing_queues": "(bool)true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDefaults:
    """What a branch gives to all its workers.

    Attributes:
        branch: The branch's id.
        directory: Absolute path of the directory that holds one directory for each instance.
        python: Absolute path of the interpreter for instances that name none.
        loglevel: For instances that name none.
        default_broker: The broker of apps that name none.
        default_result_backend: The result backend that goes with it, if it has one of its own.
        webhook_allow: What queued URLs may reach beside public addresses.
        task_events: Whether workers tell of their tasks, unless an instance says otherwise.
    """

    branch: str
    directory: str
    python: str
    loglevel: str = "INFO"
    default_broker: Broker | None = None
    default_result_backend: str | None = None
    webhook_allow: tuple[str, ...] = ()
    task_events: bool = True


def effective_spec(
    instance: Instance | None, app: App | None, default_broker: Broker | None
) -> WorkerSpec:
    """Return how an instance is run: its own spec over its app's over the defaults.

    A limit that nobody named follows the one that somebody named, so that ``max_concurrency=4``
    alone is enough for a pool that cannot grow, and ``min_concurrency=3`` alone for one that can.

    Args:
        instance: The instance, or None for what the app alone says.
        app: Its app, or None if it has none (any more).
        default_broker: For apps that name no broker.
    """
    mine = instance.spec if instance is not None else WorkerSpec()
    given = mine.over(app.spec if app is not None else WorkerSpec())
    spec = given.over(replace(DEFAULT_SPEC, broker=default_broker))
    maximum = given.max_concurrency or max(1, given.min_concurrency or 1)
    minimum = given.min_concurrency or (1 if pool_of(spec).can_autoscale else maximum)
    return replace(spec, min_concurrency=minimum, max_concurrency=maximum)


def pool_of(spec: WorkerSpec) -> Pool:
    """Return what the pool of a spec can do; one that is not known is held to be ``prefork``."""
    return POOLS.get(spec.pool or "", POOLS["prefork"])


def result_backend_of(
    spec: WorkerSpec, default_broker: Broker | None, default_result_backend: str | None
) -> str | None:
    """Return where results of a worker go, None for back to who sent the task.

    Args:
        spec: An effective spec.
        default_broker: The branch's default broker.
        default_result_backend: The result backend that goes with it, if it has one of its own.
    """
    if spec.result_backend is not None:
        return spec.result_backend
    if spec.broker is None:
        return None
    if spec.broker == default_broker and default_result_backend is not None:
        return default_result_backend
    return spec.broker.url if spec.broker.scheme in RESULT_KEEPING_SCHEMES else None


def launch_of(
    instance: Instance, spec: WorkerSpec, queues: Sequence[Queue], defaults: WorkerDefaults
) -> Launch:
    """Return what it takes to start the worker of an instance.

    Args:
        instance: The instance.
        spec: Its effective spec, which has passed ``cyme.core.parameters``.
        queues: The declarations of the queues that it consumes from.
        defaults: What the branch gives to all its workers.

    Raises:
        InvalidRequest: The spec's arguments or settings are not acceptable (any more).
    """
    given = read_arguments(spec.arguments or "").options
    config = tuple({**_SETTINGS, **dict(read_settings(spec.extra_config or "").pairs)}.items())
    env = _environment(spec, defaults)
    node = node_name(instance.name, defaults.branch)
    return Launch(
        instance=instance.name,
        node=node,
        python=spec.python or defaults.python,
        options=(
            ("-A", spec.celery_app or OWN_APP),
            *_files(f"{defaults.directory}/{instance.name}"),
            ("-Q", ",".join([direct_queue(instance.name), *_plain_names(queues)])),
            ("-P", pool_of(spec).option),
            _limits(spec),
            *_features(spec, dict(given), dict(config), defaults).items(),
        ),
        config=config,
        env={**env, **_declarations(queues)},
        workdir=spec.workdir,
        needs_own_app=spec.celery_app is None,
        digest=_digest(spec, node=node, given=given, config=config, env=env),
    )


def _files(directory: str) -> Sequence[tuple[str, str]]:
    return (
        ("--pidfile", f"{directory}/worker.pid"),
        ("--logfile", f"{directory}/worker.log"),
        ("--statedb", f"{directory}/worker.state"),
    )


def _plain_names(queues: Sequence[Queue]) -> list[str]:
    return [queue.name for queue in queues if queue.is_plain]


def _limits(spec: WorkerSpec) -> tuple[str, str]:
    if pool_of(spec).can_autoscale:
        return "--autoscale", f"{spec.max_concurrency},{spec.min_concurrency}"
    return "--concurrency", f"{spec.max_concurrency}"


def _features(
    spec: WorkerSpec,
    given: Mapping[str, str | None],
    config: Mapping[str, str],
    defaults: WorkerDefaults,
) -> Mapping[str, str | None]:
    """Return the options that the user may override, overridden where the user did."""
    # The option would win over the setting, which is the user's if there is one.
    tells_of_tasks = defaults.task_events and "worker_send_task_events" not in config
    features: dict[str, str | None] = {
        "--loglevel": defaults.loglevel,
        **({"-E": None} if tells_of_tasks else {}),
        "--without-mingle": None,
        "--without-gossip": None,
        "--heartbeat-interval": f"{HEARTBEAT_INTERVAL_S}",
        **given,
    }
    if spec.celery_app is not None:
        # Mind that the user may include modules too.
        included = given.get("--include")
        features["--include"] = f"{included},{OWN_APP}" if included else OWN_APP
    return features


def _environment(spec: WorkerSpec, defaults: WorkerDefaults) -> dict[str, str]:
    backend = result_backend_of(spec, defaults.default_broker, defaults.default_result_backend)
    # Celery prefers its variable to what the user's application says of its own results.
    is_chosen = spec.result_backend is not None or spec.celery_app is None
    ours = {
        "CELERY_BROKER_URL": spec.broker.url if spec.broker is not None else "",
        "CELERY_RESULT_BACKEND": backend or RPC_BACKEND if is_chosen else "",
        "CYME_RESULT_BACKEND": backend or RPC_BACKEND,
        "CYME_WEBHOOK_ALLOW": ",".join(defaults.webhook_allow),
    }
    return {**env_map(spec), **{name: value for name, value in ours.items() if value}}


def _declarations(queues: Sequence[Queue]) -> Mapping[str, str]:
    """Return the variable that hands over what ``-Q`` cannot say."""
    declared = [
        {
            "name": queue.name,
            "exchange": queue.exchange,
            "exchange_type": queue.exchange_type,
            "routing_key": queue.routing_key,
            "options": _options(queue),
        }
        for queue in queues
        if not queue.is_plain
    ]
    return {"CYME_QUEUES": json.dumps(declared)} if declared else {}


def _options(queue: Queue) -> object:
    """Return the options of a declaration, which another branch may have written."""
    try:
        return None if queue.options is None else json.loads(queue.options)
    except ValueError as exc:
        raise InvalidRequest.of(
            "options", f"of the queue {queue.name!r} are no JSON; declare it anew"
        ) from exc


def _digest(
    spec: WorkerSpec,
    *,
    node: str,
    given: Sequence[tuple[str, str | None]],
    config: Sequence[tuple[str, str]],
    env: Mapping[str, str],
) -> str:
    covered = {
        "node": node,
        "app": spec.celery_app,
        "python": spec.python,
        "workdir": spec.workdir,
        "pool": spec.pool,
        "limits": None if pool_of(spec).can_autoscale else spec.max_concurrency,
        "options": given,
        "config": config,
        "env": env,
    }
    return sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()
