"""Replies about apps and instances: how workers are run, and how they fare.

A password is shown in full to whoever may write, and masked to a viewer; a URL is masked always.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import msgspec

from cyme.api.figures import moment
from cyme.core.access import Caller, Role
from cyme.core.model import MASK, App, Broker, Instance, WorkerSpec, env_map, masked
from cyme.core.status import InstanceState
from cyme.runtime.service import Standing

_BROKERS_CACHED_MAX = 512
_WORKER_FIELDS = tuple(field.name for field in fields(WorkerSpec))

#: What may be secret in a URL that stands anywhere in a text: quoted, in JSON, behind an option.
_PASSWORD_IN_URL = re.compile(r"(://[^\s:/?#@]*):[^\s/?#]*@")
_SECRET_IN_QUERY = re.compile(r"(?i)([?&][^\s&=]*(?:pass|secret|token|key|sig)[^\s&=]*)=[^\s&\"']*")

#: What anybody may see of a worker's connection, and what nobody may.
_BROKER_STATS = frozenset(
    {"connect_timeout", "heartbeat", "hostname", "insist", "port", "transport", "virtual_host"}
)
_BROKER_STATS_SECRET = frozenset({"alternates", "login_method", "uri_prefix"})


class BrokerReply(msgspec.Struct, frozen=True):
    """The connection parameters of a broker."""

    hostname: str | None
    port: int | None
    userid: str | None
    password: str | None
    virtual_host: str
    url: str


class WorkerReply(msgspec.Struct, frozen=True, kw_only=True):
    """How workers are run."""

    name: str
    broker: BrokerReply | None
    result_backend: str | None
    pool: str | None
    min_concurrency: int | None
    max_concurrency: int | None
    arguments: str | None
    extra_config: str | None
    is_enabled: bool | None
    celery_app: str | None
    workdir: str | None
    python: str | None
    env: Mapping[str, str] | None
    labels: Mapping[str, str] | None


class AppReply(WorkerReply, frozen=True, kw_only=True):
    """The configuration of an app: the default of its instances, and their names."""

    instances: Sequence[str]
    version: int
    created_at: datetime
    updated_at: datetime


class InstanceReply(WorkerReply, frozen=True, kw_only=True):
    """An instance: how it is run, its app's and the usual defaults included, and how it fares.

    ``own`` names the parameters that are its own and not its app's or the usual ones.
    """

    app: str
    branch: str
    queues: Sequence[str]
    own: Sequence[str]
    pinned: bool
    state: InstanceState
    reason: str
    since: datetime
    pids: Sequence[int]
    restarts: int
    as_of: datetime
    version: int
    created_at: datetime
    updated_at: datetime


class Limits(msgspec.Struct, frozen=True):
    """The limits of an instance's concurrency."""

    max: int
    min: int


class Representations:
    """Makes replies from records.

    The parts of a broker's URL are taken apart once a broker: a read of an instance spends
    most of its time there otherwise.
    """

    def __init__(self) -> None:
        self._brokers: dict[tuple[str, bool], BrokerReply] = {}

    def app(self, app: App, instances: Sequence[str], caller: Caller) -> AppReply:
        """Return an app as ``caller`` may see it.

        Args:
            app: Its record.
            instances: Names of its instances.
            caller: Who is answered.
        """
        return AppReply(
            name=app.name,
            instances=instances,
            version=app.version,
            created_at=moment(app.created_at),
            updated_at=moment(app.updated_at),
            **self._worker(app.spec, caller),
        )

    def instance(
        self, instance: Instance, spec: WorkerSpec, standing: Standing, caller: Caller
    ) -> InstanceReply:
        """Return an instance as ``caller`` may see it.

        Args:
            instance: Its record.
            spec: How it is run, defaults included.
            standing: How it fares, and when that was so.
            caller: Who is answered.
        """
        status = standing.status
        return InstanceReply(
            name=instance.name,
            app=instance.app,
            branch=instance.owner,
            queues=instance.queues,
            own=[name for name in _WORKER_FIELDS if getattr(instance.spec, name) is not None],
            pinned=instance.pinned,
            state=status.state,
            reason=status.reason,
            since=moment(status.since or instance.created_at),
            pids=status.pids,
            restarts=status.restarts,
            as_of=moment(standing.as_of),
            version=instance.version,
            created_at=moment(instance.created_at),
            updated_at=moment(instance.updated_at),
            **self._worker(spec, caller),
        )

    def _worker(self, spec: WorkerSpec, caller: Caller) -> dict[str, Any]:
        may_write = caller.role >= Role.OPERATOR
        env = None
        if spec.env is not None:
            env = env_map(spec) if may_write else {name: MASK for name, _ in spec.env}
        return {
            "broker": self._broker(spec.broker, may_write) if spec.broker else None,
            "result_backend": masked(spec.result_backend) if spec.result_backend else None,
            "pool": spec.pool,
            "min_concurrency": spec.min_concurrency,
            "max_concurrency": spec.max_concurrency,
            "arguments": spec.arguments if may_write else _without_passwords(spec.arguments),
            "extra_config": (
                spec.extra_config if may_write else _without_passwords(spec.extra_config)
            ),
            "is_enabled": spec.is_enabled,
            "celery_app": spec.celery_app,
            "workdir": spec.workdir,
            "python": spec.python,
            "env": env,
            "labels": dict(spec.labels) if spec.labels is not None else None,
        }

    def _broker(self, broker: Broker, may_write: bool) -> BrokerReply:
        key = (broker.url, may_write)
        reply = self._brokers.get(key)
        if reply is None:
            password = broker.password
            reply = BrokerReply(
                hostname=broker.hostname,
                port=broker.port,
                userid=broker.userid,
                password=password if may_write or not password else MASK,
                virtual_host=broker.virtual_host,
                url=broker.masked_url,
            )
            if len(self._brokers) >= _BROKERS_CACHED_MAX:
                self._brokers.clear()
            self._brokers[key] = reply
        return reply


def stats_reply(stats: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
    """Return what a worker says of itself, without what it knows of its broker's secrets.

    Transports take passwords and keys in their options, in the user's name and in the URLs of
    further brokers, so callers who may not write see what is known to be harmless only.
    """
    broker = stats.get("broker")
    if not isinstance(broker, Mapping):
        return stats
    may_write = caller.role >= Role.OPERATOR
    shown = {
        name: value
        for name, value in broker.items()
        if name in _BROKER_STATS or (may_write and name not in _BROKER_STATS_SECRET)
    }
    return {**stats, "broker": shown}


def _without_passwords(text: str | None) -> str | None:
    """Return options or settings with the passwords in their URLs masked, wherever these stand."""
    if text is None or "://" not in text:
        return text
    return _SECRET_IN_QUERY.sub(rf"\1={MASK}", _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", text))
