"""What a cluster runs, as a fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cyme.client.client import Client
from cyme.client.fleet.model import (
    QUEUE_PARAMETERS,
    WORKER_PARAMETERS,
    Fleet,
    FleetApp,
    Parameters,
)
from cyme.client.fleet.secrets import MASK, with_password
from cyme.client.info import Info, plain


def observe(client: Client) -> Fleet:
    """Return what a cluster runs; three requests.

    Raises:
        ClientError: It cannot be asked.
    """
    infos = {app.name: app.info for app in client.apps.all()}
    queues: dict[str, dict[str, Parameters]] = {name: {} for name in infos}
    instances: dict[str, dict[str, Parameters]] = {name: {} for name in infos}
    for queue in client.all_queues():
        queues.setdefault(queue.app, {})[queue.name] = queue_parameters(queue.info)
    for instance in client.instances.all():
        app = str(instance.app)
        instances.setdefault(app, {})[instance.name] = instance_parameters(instance.info)
    return Fleet(
        {
            name: FleetApp(app_parameters(infos[name]), queues[name], instances[name])
            for name in infos
        }
    )


def app_parameters(info: Info) -> Parameters:
    """Return the parameters of an app from its representation."""
    return {name: value for name in WORKER_PARAMETERS if (value := _of(info, name)) is not None}


def queue_parameters(info: Info) -> Parameters:
    """Return the parameters of a queue from its representation."""
    return {name: plain(info[name]) for name in QUEUE_PARAMETERS if info.get(name) is not None}


def instance_parameters(info: Info) -> Parameters:
    """Return the parameters that an instance has of its own, from its representation.

    Its app's parameters and the defaults stand in that too.
    """
    found = {name: value for name in info["own"] if (value := _of(info, name)) is not None}
    if info.get("queues"):
        found["queues"] = sorted(info["queues"])
    if info.get("pinned"):
        found["branch"] = str(info["branch"])
    return found


def _of(info: Info, name: str) -> Any:
    value = info.get(name)
    if name == "broker" and isinstance(value, Mapping):
        return broker_url(value)
    return plain(value)


def broker_url(broker: Mapping[str, Any]) -> str:
    """Return the URL of a broker with its password, as far as the caller may see it."""
    url, password = str(broker["url"]), broker.get("password")
    if not password or MASK not in url:
        return url
    return with_password(url, password if password == MASK else quote(password, safe=""))
