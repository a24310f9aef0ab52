"""Which workers restart for a change. Pure; the rules are those of the page on workers.

It knows what is to run, and not what does: a worker that has failed is counted with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cyme.client.fleet.model import Fleet, FleetApp
from cyme.client.fleet.same import is_same

#: What a worker is started with and cannot be told while it runs.
STARTED_WITH = (
    "broker",
    "result_backend",
    "pool",
    "arguments",
    "extra_config",
    "celery_app",
    "workdir",
    "python",
    "env",
)

#: Pools whose limits cannot change while they run.
_FIXED_POOLS = frozenset({"threads", "solo"})


def restarted(before: Fleet, after: Fleet) -> tuple[str, ...]:
    """Return the instances that are to run before and after, but not with the same.

    Args:
        before: What the cluster runs.
        after: What it is to run then.

    Returns:
        Their apps and names, as ``shop/w1``.
    """
    return tuple(
        f"{name}/{instance}"
        for name, app in sorted(after.apps.items())
        if (known := before.apps.get(name)) is not None
        for instance in sorted(app.instances.keys() & known.instances.keys())
        if _differ(_run_with(known, instance), _run_with(app, instance))
    )


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(not is_same(key, old[key], new[key]) for key in old.keys() & new.keys())


def _run_with(app: FleetApp, name: str) -> Mapping[str, Any]:
    """Return what the worker of an instance is started with; nothing if it is not to run."""
    given = {**app.parameters, **app.instances[name]}
    if not given.get("is_enabled", True):
        return {}
    found = {key: given.get(key) or None for key in STARTED_WITH}
    found["pool"] = found["pool"] or "prefork"
    if found["pool"] in _FIXED_POOLS:
        found["limit"] = given.get("max_concurrency") or given.get("min_concurrency") or 1
    # A queue is added and cancelled while the worker runs; only another declaration is not.
    for queue in given.get("queues") or ():
        if queue in app.queues:
            found[f"queue {queue}"] = app.queues[queue]
    return found
