"""Whether the parameters of an app, an instance or a queue can be accepted.

Every check here ends in silence or in ``InvalidRequest``, whatever it is given; all faults of a
request are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from urllib.parse import parse_qsl, urlsplit

from cyme.core.access import CODE_CHOOSING, Role
from cyme.core.labels import read_labels
from cyme.core.model import Broker, WorkerSpec
from cyme.core.names import check_name
from cyme.core.pools import POOLS
from cyme.core.worker_options import read_arguments, suggestion
from cyme.core.worker_settings import read_settings
from cyme.errors import Fault, InvalidRequest

URL_CHARS_MAX = 2048
PATH_CHARS_MAX = 1024
APP_CHARS_MAX = 256
ENV_VARIABLES_MAX = 256
ENV_CHARS_MAX = 32_768
QUEUES_PER_INSTANCE_MAX = 256

#: Fields of a ``WorkerSpec``: what an app and an instance have in common.
SPEC_PARAMETERS = frozenset(field.name for field in fields(WorkerSpec))

#: Kinds of broker that are reached over the network, and hold nothing but messages.
SAFE_BROKER_SCHEMES = frozenset(
    {
        "amqp",
        "amqps",
        "azureservicebus",
        "azurestoragequeues",
        "confluentkafka",
        "consul",
        "etcd",
        "gcpubsub",
        "kafka",
        "librabbitmq",
        "mongodb",
        "pyamqp",
        "qpid",
        "redis",
        "rediss",
        "sentinel",
        "slmq",
        "sqs",
        "zookeeper",
    }
)

#: Kinds of broker that are files or SQL databases, or unpickle what they find.
OTHER_BROKER_SCHEMES = frozenset({"filesystem", "pgmq", "pyro", "sqla", "sqlalchemy"})

#: Kinds of broker that Kombu knows and several processes can share.
BROKER_SCHEMES = SAFE_BROKER_SCHEMES | OTHER_BROKER_SCHEMES

#: Result backends that only hold what they are given.
SAFE_BACKEND_SCHEMES = frozenset({"redis", "rediss", "rpc", "sentinel"})

#: Result backends that unpickle what they find, or write files.
OTHER_BACKEND_SCHEMES = frozenset(
    {
        "arangodb",
        "azureblockblob",
        "cache",
        "cassandra",
        "consul",
        "cosmosdbsql",
        "couchbase",
        "couchdb",
        "database",
        "db",
        "dynamodb",
        "elasticsearch",
        "file",
        "gs",
        "mongodb",
        "s3",
    }
)

#: Options in the query of a broker's or backend's URL that name neither code nor files. Celery
#: hands all of them on to the client's classes; ``credential_provider``, for one, is imported.
SAFE_URL_OPTIONS = frozenset(
    {
        "db",
        "health_check_interval",
        "heartbeat",
        "retry_on_timeout",
        "socket_keepalive",
        "ssl",
        "ssl_cert_reqs",
        "ssl_check_hostname",
    }
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CELERY_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?\Z")

_MANAGED_VARIABLES = {
    "CELERY_BROKER_URL": "use the parameter broker",
    "CELERY_BROKER_READ_URL": "use the parameter broker",
    "CELERY_BROKER_WRITE_URL": "use the parameter broker",
    "CELERY_RESULT_BACKEND": "use the parameter result_backend",
}


def check_changes(changes: Mapping[str, object]) -> None:
    """Check the parameters of an app or an instance one by one.

    Args:
        changes: Fields of ``WorkerSpec``, and ``queues`` for an instance; None, which resets a
            parameter, is always right.

    Raises:
        InvalidRequest: With one fault for each bad parameter.
    """
    faults: list[Fault] = []
    for name, value in changes.items():
        check = _CHECKS.get(name)
        if check is None:
            hint = suggestion(str(name), _CHECKS)
            faults.append(Fault(str(name), f"is not a parameter{hint}"))
            continue
        if value is None:
            continue
        try:
            check(value)
        except InvalidRequest as exc:
            faults += [Fault(name, fault.detail) for fault in exc.faults]
    _raise(faults)


def check_spec(spec: WorkerSpec, effective: WorkerSpec) -> None:
    """Check that what is right by itself is right together.

    Args:
        spec: What the instance and its app say.
        effective: That over the defaults, as ``cyme.core.launch.effective_spec`` returns it.

    Raises:
        InvalidRequest: The limits contradict each other, or the pool.
    """
    minimum, maximum = effective.min_concurrency or 1, effective.max_concurrency or 1
    pool = POOLS[effective.pool or "prefork"]
    faults = []
    if minimum > maximum:
        detail = f"{minimum} is over max_concurrency, {maximum}"
        faults.append(Fault("min_concurrency", detail))
    if maximum > pool.concurrency_max:
        detail = f"{maximum} is over {pool.concurrency_max}, the most that pool {pool.name} takes"
        faults.append(Fault("max_concurrency", detail))
    if not pool.can_autoscale and spec.min_concurrency not in (None, maximum):
        detail = (
            f"pool {pool.name} cannot change its concurrency while it runs: leave this out, or "
            f"give it the value of max_concurrency, {maximum}"
        )
        faults.append(Fault("min_concurrency", detail))
    _raise(faults)


def role_needed(changes: Mapping[str, object]) -> tuple[Role, str]:
    """Return the least role that may make the changes, and why it takes that one.

    Args:
        changes: Checked changes.
    """
    reasons = sorted(CODE_CHOOSING.intersection(changes))
    for name, read in (("arguments", read_arguments), ("extra_config", read_settings)):
        text = changes.get(name)
        if isinstance(text, str):
            reasons += [f"{item} in {name}" for item in read(text).admin_only]
    broker, backend = changes.get("broker"), changes.get("result_backend")
    if isinstance(broker, Broker):
        reasons += _unsafe_in_url("broker", broker.url, SAFE_BROKER_SCHEMES)
    if isinstance(backend, str):
        reasons += _unsafe_in_url("result_backend", backend, SAFE_BACKEND_SCHEMES)
    if not reasons:
        return Role.OPERATOR, ""
    told = ", ".join(reasons)
    return Role.ADMIN, f"set {told}, which chooses what code runs or what files are used,"


def _unsafe_in_url(parameter: str, url: str, safe: frozenset[str]) -> list[str]:
    """Return what only an administrator may say in the URL of a broker or a result backend."""
    kind = url.partition("://")[0].lower()
    parts = urlsplit(url)
    reasons = []
    if kind not in safe:
        # What stands behind a '+' is safe nowhere: redis+socket is a file of this machine.
        reasons.append(f"a {parameter} of the kind {kind}")
    if "%" in parts.netloc.rpartition("@")[2]:
        # Kombu decodes the host, and where that makes a URL again, it follows it.
        reasons.append(f"a {parameter} whose host is percent-encoded")
    given = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    unsafe = sorted(given - SAFE_URL_OPTIONS)
    reasons += [f"{name!r} in the URL of {parameter}" for name in unsafe]
    return reasons


# --- one parameter each --------------------------------------------------------------------------


def _fault(detail: str) -> InvalidRequest:
    return InvalidRequest("", [Fault("", detail)])


def _text(value: object, chars_max: int) -> str:
    if not isinstance(value, str):
        raise _fault(f"must be a text, not {type(value).__name__}")
    if len(value) > chars_max:
        raise _fault(f"has {len(value)} characters; at most {chars_max} are allowed")
    if not value.isprintable():
        raise _fault("holds a control character or a line break")
    return value


def _check_broker(value: object) -> None:
    if not isinstance(value, Broker):
        raise _fault("must be a broker")
    scheme = _url_scheme(value.url)
    if scheme == "memory":
        raise _fault("memory:// reaches nobody outside its own process; name a real broker")
    if scheme not in BROKER_SCHEMES:
        raise _fault(
            f"{scheme!r} is not a kind of broker that Celery knows"
            f"{suggestion(scheme, BROKER_SCHEMES)}"
        )


def _check_result_backend(value: object) -> None:
    scheme = _url_scheme(_text(value, URL_CHARS_MAX))
    known = SAFE_BACKEND_SCHEMES | OTHER_BACKEND_SCHEMES
    if scheme not in known:
        raise _fault(
            f"{scheme!r} is not a result backend that Celery knows{suggestion(scheme, known)}"
        )


def _url_scheme(url: str) -> str:
    """Return the kind of a broker's or backend's URL, if it can be one."""
    _text(url, URL_CHARS_MAX)
    if " " in url:
        raise _fault("holds a space; write it as %20")
    if url.count("://") > 1:
        raise _fault("names several URLs; name one")
    try:
        port = urlsplit(url).port
    except ValueError:
        # What Python says of it shows a part of the password where that has a '/' in it.
        raise _fault(
            "is not a URL: its host or its port is none. Percent-encode what is in the password"
        ) from None
    if "://" not in url or port == 0:
        raise _fault("must be a URL such as amqp://user:password@host:5672/vhost")
    return _scheme(url)


def _scheme(url: str) -> str:
    return url.partition("://")[0].partition("+")[0].lower()


def _check_pool(value: object) -> None:
    if not isinstance(value, str) or value not in POOLS:
        raise _fault(f"must be one of {', '.join(POOLS)}")


def _check_concurrency(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _fault("must be a whole number")
    most = max(pool.concurrency_max for pool in POOLS.values())
    if not 1 <= value <= most:
        raise _fault(f"must be 1 to {most}")


def _check_arguments(value: object) -> None:
    if not isinstance(value, str):
        raise _fault("must be a text")
    read_arguments(value)


def _check_extra_config(value: object) -> None:
    if not isinstance(value, str):
        raise _fault("must be a text")
    read_settings(value)


def _check_is_enabled(value: object) -> None:
    if not isinstance(value, bool):
        raise _fault("must be true or false")


def _check_celery_app(value: object) -> None:
    if _CELERY_APP.match(_text(value, APP_CHARS_MAX)) is None:
        raise _fault("must be a module, or module:attribute, such as proj.celery:app")


def _check_path(value: object) -> None:
    path = _text(value, PATH_CHARS_MAX)
    if not path.startswith("/"):
        raise _fault("must be an absolute path")
    if ".." in path.split("/"):
        raise _fault("must not go up by '..'")


def _check_env(value: object) -> None:
    pairs = _pairs(value)
    if len(pairs) > ENV_VARIABLES_MAX:
        raise _fault(f"has {len(pairs)} variables; at most {ENV_VARIABLES_MAX} are allowed")
    if sum(len(name) + len(text) for name, text in pairs) > ENV_CHARS_MAX:
        raise _fault(f"is longer than {ENV_CHARS_MAX} characters")
    for name, text in pairs:
        if _VARIABLE.match(name) is None:
            raise _fault(f"{name!r} is not a name for a variable: use letters, digits and '_'")
        if "\0" in text or not _is_encodable(text):
            raise _fault(f"the value of {name} holds a character that no variable can hold")
        if name in _MANAGED_VARIABLES:
            raise _fault(f"{name} cannot be set here: {_MANAGED_VARIABLES[name]} instead")
        if name.startswith("CYME_"):
            raise _fault(f"{name} cannot be set here: CYME_ is kept for Cyme itself")


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs(value: object) -> list[tuple[str, str]]:
    """Return the environment as pairs, be it a map or pairs already."""
    items = list(value.items() if isinstance(value, Mapping) else _items(value))
    pairs = []
    for item in items:
        match item:
            case (str(name), str(text)):
                pairs.append((name, text))
            case _:
                raise _fault("must be a map from names to texts")
    return pairs


def _check_labels(value: object) -> None:
    read_labels(value)


def _check_queues(value: object) -> None:
    names = _items(value)
    if len(names) > QUEUES_PER_INSTANCE_MAX:
        raise _fault(f"has {len(names)} names; at most {QUEUES_PER_INSTANCE_MAX} are allowed")
    for name in names:
        if not isinstance(name, str):
            raise _fault("must be a list of names")
        check_name("queue", name)


def _items(value: object) -> list[object]:
    if not isinstance(value, list | tuple):
        raise _fault(f"must be a list or a map, not {type(value).__name__}")
    return list(value)


_CHECKS: Mapping[str, Callable[[object], None]] = {
    "broker": _check_broker,
    "result_backend": _check_result_backend,
    "pool": _check_pool,
    "min_concurrency": _check_concurrency,
    "max_concurrency": _check_concurrency,
    "arguments": _check_arguments,
    "extra_config": _check_extra_config,
    "is_enabled": _check_is_enabled,
    "celery_app": _check_celery_app,
    "workdir": _check_path,
    "python": _check_path,
    "env": _check_env,
    "labels": _check_labels,
    "queues": _check_queues,
}


def _raise(faults: list[Fault]) -> None:
    if faults:
        told = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults)
        raise InvalidRequest(told, faults)
