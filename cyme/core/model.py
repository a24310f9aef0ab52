"""The records that Cyme keeps: apps, brokers, instances and queues.

All of them are values: frozen, comparable, free of behaviour that needs the world. A change is
a new record with a higher version. A deleted record stays as a tombstone, so that a branch that
was away cannot bring it back.

Two ways of settling a disagreement between branches are built into the records:

* apps and queues are declarations known to all; the last writer wins, ordered by ``Stamp``
  (a hybrid logical clock: Kulkarni and others, "Logical Physical Clocks", 2014);
* an instance is two registers: who runs it, where the greater ``(epoch, owner)`` wins, and what
  it is, where the last writer wins. They merge apart, so that a branch that takes an instance
  over undoes no change that was made to it, and a change undoes no take-over. What was deleted
  stays deleted, until it is created again as the next ``generation``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import NewType
from urllib.parse import quote, unquote, urlsplit, urlunsplit

AppName = NewType("AppName", str)
InstanceName = NewType("InstanceName", str)
QueueName = NewType("QueueName", str)
BranchId = NewType("BranchId", str)

MASK = "********"

_SECRET_IN_QUERY = re.compile(r"(?i)([^&=]*(?:pass|secret|token|key|sig)[^&=]*)=[^&]*")

#: The same in a connection string, which stands where other URLs have a host (Azure's storage).
_SECRET_IN_PLACE = re.compile(r"(?i)((?:^|;)[^;=]*(?:pass|secret|token|key|sig)[^;=]*)=[^;]*")

_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "pyamqp": 5672, "redis": 6379, "rediss": 6379}


@dataclass(frozen=True, slots=True)
class Broker:
    """The connection parameters of one message broker.

    Attributes:
        url: The whole URL, password included. Never log it: use ``masked_url``.
    """

    url: str

    @classmethod
    def from_fields(
        cls,
        *,
        hostname: str,
        port: int | None = None,
        userid: str | None = None,
        password: str | None = None,
        virtual_host: str | None = None,
    ) -> Broker:
        """Build an AMQP broker from the five fields of the reference.

        What is None takes RabbitMQ's default: port 5672, guest/guest, virtual host ``/``.
        """
        login = f"{quote(userid or 'guest', safe='')}:{quote(password or 'guest', safe='')}"
        host = f"[{hostname}]" if ":" in hostname else hostname
        return cls(f"amqp://{login}@{host}:{port or 5672}/{quote(virtual_host or '/', safe='')}")

    @property
    def scheme(self) -> str:
        """The kind of broker: ``amqp``, ``redis``, ..., without a ``+`` suffix."""
        return urlsplit(self.url).scheme.split("+")[0]

    @property
    def hostname(self) -> str | None:
        """The host, without brackets."""
        return urlsplit(self.url).hostname

    @property
    def port(self) -> int | None:
        """The port, or the scheme's default one."""
        return urlsplit(self.url).port or _DEFAULT_PORTS.get(self.scheme)

    @property
    def userid(self) -> str | None:
        """The user, unquoted."""
        user = urlsplit(self.url).username
        return unquote(user) if user else None

    @property
    def password(self) -> str | None:
        """The password, unquoted."""
        password = urlsplit(self.url).password
        return unquote(password) if password else None

    @property
    def virtual_host(self) -> str:
        """The virtual host of AMQP (``/`` when none is named), the database of Redis."""
        path = unquote(urlsplit(self.url).path[1:])
        return path or ("/" if self.scheme in {"amqp", "amqps", "pyamqp"} else "0")

    @property
    def masked_url(self) -> str:
        """The URL with its password replaced, fit for replies and logs."""
        return masked(self.url)

    def __repr__(self) -> str:
        return f"Broker({self.masked_url!r})"


def masked(url: str) -> str:
    """Return ``url`` with its password, and what looks like a secret in it, masked.

    A URL that cannot be read is masked as a whole.
    """
    try:
        parts = urlsplit(url)
        login, at, host = parts.netloc.rpartition("@")
    except ValueError:
        return MASK
    user, colon, _ = login.partition(":")
    netloc = f"{user}{colon}{MASK if colon else ''}@{host}" if at else parts.netloc
    query, fragment = (
        _SECRET_IN_QUERY.sub(rf"\1={MASK}", part) for part in (parts.query, parts.fragment)
    )
    hidden = parts._replace(netloc=netloc, query=query, fragment=fragment)
    place = parts.netloc + parts.path
    if not at and (fit := _SECRET_IN_PLACE.sub(rf"\1={MASK}", place)) != place:
        hidden = hidden._replace(netloc=fit, path="")
    return url if hidden == parts else urlunsplit(hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """How a worker is run. None means: not given here, so the app's, else the default.

    Attributes:
        broker: The broker that the worker connects to.
        result_backend: URL of Celery's result backend, where the broker is not it.
        pool: ``prefork``, ``threads``, ``gevent``, ``eventlet`` or ``solo``.
        min_concurrency: At least so many tasks at a time, 1 or more.
        max_concurrency: At most so many tasks at a time, not under the minimum.
        arguments: Further options of ``celery worker``, written as on a command line.
        extra_config: Celery settings, ``key=value`` separated by spaces.
        is_enabled: Whether the worker should run at all.
        celery_app: The user's Celery application, as for ``celery -A``.
        workdir: The directory that the worker runs in; absolute.
        python: The interpreter that runs the worker; absolute.
        env: Environment variables, sorted pairs of name and value.
        labels: What a branch must be labelled with to run it, sorted pairs of key and value.
    """

    broker: Broker | None = None
    result_backend: str | None = field(default=None, repr=False)
    pool: str | None = None
    min_concurrency: int | None = None
    max_concurrency: int | None = None
    arguments: str | None = None
    extra_config: str | None = None
    is_enabled: bool | None = None
    celery_app: str | None = None
    workdir: str | None = None
    python: str | None = None
    env: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    labels: tuple[tuple[str, str], ...] | None = None

    def over(self, defaults: WorkerSpec) -> WorkerSpec:
        """Return this spec with everything that it leaves open taken from ``defaults``."""
        return replace(
            defaults,
            **{
                given.name: value
                for given in fields(self)
                if (value := getattr(self, given.name)) is not None
            },
        )


#: What a worker is when neither its instance nor its app says otherwise.
DEFAULT_SPEC = WorkerSpec(
    pool="prefork",
    min_concurrency=1,
    max_concurrency=1,
    is_enabled=True,
)


#: The greatest counter of a stamp that is ever written; receivers refuse those from 2**53 on.
COUNTER_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """When and where a declaration was written: a hybrid logical clock and its origin.

    Attributes:
        time_ms: Wall-clock milliseconds since 1970, never falling on one branch.
        counter: Orders writes within one millisecond.
        origin: The branch that wrote; settles the rest.
    """

    time_ms: int
    counter: int
    origin: str

    def next(self, now_ms: int, origin: str) -> Stamp:
        """Return a stamp of ``origin`` that is later than this one and not before ``now_ms``."""
        if now_ms > self.time_ms:
            return Stamp(now_ms, 0, origin)
        if self.counter >= COUNTER_MAX:
            return Stamp(self.time_ms + 1, 0, origin)
        return Stamp(self.time_ms, self.counter + 1, origin)


EPOCH_STAMP = Stamp(0, 0, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application: the default worker of its instances.

    Attributes:
        version: Grows by one with every change, from 1.
        created_at: Seconds since 1970, UTC.
        updated_at: Seconds since 1970, UTC.
        deleted: Whether this is a tombstone.
    """

    name: AppName
    spec: WorkerSpec
    stamp: Stamp
    version: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue declaration of an app.

    What the caller did not give is None; the default applies when the queue is used: exchange
    and routing key are the queue's name, the exchange type is ``direct``.

    Attributes:
        options: JSON-encoded mapping of queue, exchange and binding options
            (``kombu.compat.entry_to_queue``), or None.
    """

    app: AppName
    name: QueueName
    exchange: str | None = None
    exchange_type: str | None = None
    routing_key: str | None = None
    options: str | None = None
    stamp: Stamp
    version: int = 1
    created_at: float = 0.0
    updated_at: float = 0.0
    deleted: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether naming the queue to a worker is enough to declare it as it is meant."""
        return (
            self.exchange in (None, self.name)
            and self.routing_key in (None, self.name)
            and self.exchange_type in (None, "direct")
            and self.options is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A Celery worker under management.

    Attributes:
        home: The branch that the instance was placed on.
        owner: The branch that runs it now.
        epoch: Grows with every change of owner, from 1.
        generation: Grows by one when it is created again after it was deleted, from 1.
        stamp: When and where its content was written: all but home, owner and epoch.
        version: Grows by one with every change of its content, from 1.
        pinned: Whether it may run on its home only.
        queues: Names of the queues to consume from, sorted, without the direct queue.
        deleted: Whether this is a tombstone.
    """

    name: InstanceName
    app: AppName
    home: BranchId
    owner: BranchId
    epoch: int = 1
    generation: int = 1
    stamp: Stamp = EPOCH_STAMP
    version: int = 1
    spec: WorkerSpec
    queues: tuple[QueueName, ...] = ()
    pinned: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0
    deleted: bool = False


Record = App | Queue | Instance


def merged(mine: Record | None, theirs: Record) -> Record:
    """Return what two records of the same key are together; ``mine`` itself if nothing is new.

    The rule is the least upper bound of total orders, so merging is commutative, associative and
    idempotent, in whatever order and however often records arrive.
    """
    match mine, theirs:
        case None, _:
            return theirs
        case Instance(), Instance():
            return _merged_instance(mine, theirs)
        case ((App() | Queue()), (App() | Queue())):
            # One stamp for two contents takes a copied directory; they must settle all the same.
            return theirs if (theirs.stamp, theirs.deleted) > (mine.stamp, mine.deleted) else mine
    raise AssertionError("records of different kinds share a key")


def _merged_instance(mine: Instance, theirs: Instance) -> Instance:
    if mine.generation != theirs.generation:
        return mine if mine.generation > theirs.generation else theirs
    content = theirs if _content_order(theirs) > _content_order(mine) else mine
    ruled = theirs if _rule_order(theirs) > _rule_order(mine) else mine
    if _rule_order(content) == _rule_order(ruled):
        return content
    return replace(content, home=ruled.home, owner=ruled.owner, epoch=ruled.epoch)


def _content_order(instance: Instance) -> tuple[bool, Stamp]:
    return instance.deleted, instance.stamp


def _rule_order(instance: Instance) -> tuple[int, BranchId, BranchId]:
    # Whoever raised the epoch chose the home too; it stands here to leave nothing to chance.
    return instance.epoch, instance.owner, instance.home


def env_map(spec: WorkerSpec) -> Mapping[str, str]:
    """Return the spec's environment as a map; empty when it has none."""
    return dict(spec.env or ())
