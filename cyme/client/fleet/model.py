"""What a fleet is: apps, each with its parameters, queues and instances. Plain values.

A parameter that is not there has its default, with exceptions that are left as they are: the broker
of an app, and the branch of an instance and whether it is pinned to it, which the cluster chooses.
An instance that a cluster runs has a branch here only if it is pinned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Parameters = Mapping[str, Any]

#: How workers are run: parameters of an app, the defaults of its instances, and of an instance.
WORKER_PARAMETERS: Mapping[str, type] = {
    "broker": str,
    "result_backend": str,
    "pool": str,
    "min_concurrency": int,
    "max_concurrency": int,
    "arguments": str,
    "extra_config": str,
    "is_enabled": bool,
    "celery_app": str,
    "workdir": str,
    "python": str,
    "env": dict,
    "labels": dict,
}

#: Parameters of an instance besides.
INSTANCE_PARAMETERS: Mapping[str, type] = {
    **WORKER_PARAMETERS,
    "queues": list,
    "pinned": bool,
    "branch": str,
}

#: Parameters of a queue.
QUEUE_PARAMETERS: Mapping[str, type] = {
    "exchange": str,
    "exchange_type": str,
    "routing_key": str,
    "options": dict,
}


def value_of(parameters: Parameters, name: str) -> Any:
    """Return the value of a parameter, None where it has none; what has a branch is pinned."""
    if name == "pinned":
        return bool(parameters.get("pinned", "branch" in parameters))
    return parameters.get(name)


@dataclass(frozen=True, slots=True)
class FleetApp:
    """An app of a fleet.

    Attributes:
        parameters: How its workers are run.
        queues: The parameters of its queues, by name.
        instances: The parameters of its instances, by name.
    """

    # A representation that is printed by the way shall show no password.
    parameters: Parameters = field(default_factory=dict, repr=False)
    queues: Mapping[str, Parameters] = field(default_factory=dict, repr=False)
    instances: Mapping[str, Parameters] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a cluster runs, or is to run.

    Attributes:
        apps: Its apps, by name.
    """

    apps: Mapping[str, FleetApp] = field(default_factory=dict)
