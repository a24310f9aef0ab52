"""What there is to do so that a cluster becomes what is wanted. Pure.

The order: apps, their queues, their instances, each created or changed; then what is deleted,
the other way around. Only an instance whose name is wanted in another app goes before that one
is created, for names of instances are unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from cyme.client.fleet.changes import Action, Change, FieldChange, Kind, Plan, Prune
from cyme.client.fleet.model import (
    INSTANCE_PARAMETERS,
    QUEUE_PARAMETERS,
    WORKER_PARAMETERS,
    Fleet,
    FleetApp,
    Parameters,
    value_of,
)
from cyme.client.fleet.restarts import restarted
from cyme.client.fleet.same import MAPS, is_same

#: What the cluster chooses where nobody does: left out, it stays as it is.
_CHOSEN = frozenset({"branch", "pinned"})
_CHOSEN_FOR_APPS = frozenset({"broker"})

_NOBODY = FleetApp()


def plan(current: Fleet, wanted: Fleet, prune: Prune = Prune.NOTHING) -> Plan:
    """Return what there is to do so that a cluster becomes what is wanted.

    Args:
        current: What it runs.
        wanted: What it is to run.
        prune: What of it is deleted that is not wanted.
    """
    changes = [
        *_apps(current, wanted),
        *_queues(current, wanted),
        *_instances(current, wanted),
    ]
    created = {
        each.name for each in changes if each.kind == Kind.INSTANCE and each.action == Action.CREATE
    }
    deletions = list(_deletions(current, wanted, prune))
    first = [each for each in deletions if each.kind == Kind.INSTANCE and each.name in created]
    last = [each for each in deletions if each not in first]
    done = Plan((*first, *changes, *last))
    return replace(done, restarts=restarted(current, applied(current, done)))


def applied(fleet: Fleet, plan: Plan) -> Fleet:
    """Return what a fleet is once a plan has been performed."""
    apps = {
        name: FleetApp(dict(app.parameters), dict(app.queues), dict(app.instances))
        for name, app in fleet.apps.items()
    }
    for change in plan.changes:
        app = apps.get(change.app, _NOBODY)
        if change.kind == Kind.APP:
            if change.action == Action.DELETE:
                apps.pop(change.app, None)
                continue
            apps[change.app] = replace(app, parameters=_written(app.parameters, change.parameters))
            continue
        is_queue = change.kind == Kind.QUEUE
        section = dict(app.queues if is_queue else app.instances)
        if change.action == Action.DELETE:
            section.pop(change.name, None)
        else:
            section[change.name] = _written(section.get(change.name, {}), change.parameters)
        apps[change.app] = (
            replace(app, queues=section) if is_queue else replace(app, instances=section)
        )
    return Fleet(apps)


def _apps(current: Fleet, wanted: Fleet) -> Iterator[Change]:
    for name, app in sorted(wanted.apps.items()):
        now = current.apps.get(name)
        yield from _changes(
            Kind.APP,
            name,
            name,
            None if now is None else now.parameters,
            app.parameters,
            WORKER_PARAMETERS,
            _CHOSEN_FOR_APPS,
        )


def _queues(current: Fleet, wanted: Fleet) -> Iterator[Change]:
    for app_name, app in sorted(wanted.apps.items()):
        now = current.apps.get(app_name, _NOBODY).queues
        for name, parameters in sorted(app.queues.items()):
            yield from _changes(
                Kind.QUEUE, app_name, name, now.get(name), parameters, QUEUE_PARAMETERS
            )


def _instances(current: Fleet, wanted: Fleet) -> Iterator[Change]:
    for app_name, app in sorted(wanted.apps.items()):
        now = current.apps.get(app_name, _NOBODY).instances
        for name, parameters in sorted(app.instances.items()):
            yield from _changes(
                Kind.INSTANCE,
                app_name,
                name,
                now.get(name),
                parameters,
                INSTANCE_PARAMETERS,
                _CHOSEN,
            )


def _changes(
    kind: Kind,
    app: str,
    name: str,
    now: Parameters | None,
    wanted: Parameters,
    known: Mapping[str, type],
    chosen: frozenset[str] = frozenset(),
) -> Iterator[Change]:
    """Yield what makes one thing what is wanted: nothing, one change, or one and a move."""
    if now is None:
        given = {key: wanted[key] for key in known if wanted.get(key) is not None}
        fields = tuple(each for key in given for each in _fields(key, None, given[key]))
        yield Change(Action.CREATE, kind, app, name, fields, given)
        return
    differing = [
        key
        for key in known
        if not (key in chosen and wanted.get(key) is None)
        and not is_same(key, value_of(now, key), wanted.get(key))
    ]
    changed = [key for key in differing if key != "branch"]
    if changed:
        yield Change(
            Action.UPDATE,
            kind,
            app,
            name,
            tuple(
                each
                for key in changed
                for each in _fields(key, value_of(now, key), wanted.get(key))
            ),
            {key: _value(key, wanted.get(key)) for key in changed},
        )
    if "branch" in differing:
        branch = wanted["branch"]
        moved = FieldChange("branch", now.get("branch"), branch)
        yield Change(Action.MOVE, kind, app, name, (moved,), {"branch": branch})


def _value(key: str, wanted: Any) -> Any:
    """Return what is written so that a parameter becomes what is wanted."""
    return [] if key == "queues" and wanted is None else wanted


def _fields(key: str, old: Any, new: Any) -> Iterator[FieldChange]:
    """Yield what changes of a parameter: each key of a mapping by itself."""
    if key not in MAPS or not (old or new):
        yield FieldChange(key, old, new)
        return
    before, after = old or {}, new or {}
    for each in sorted({*before, *after}):
        if not is_same(key, before.get(each), after.get(each)):
            yield FieldChange(f"{key}.{each}", before.get(each), after.get(each))


def _deletions(current: Fleet, wanted: Fleet, prune: Prune) -> Iterator[Change]:
    if prune == Prune.NOTHING:
        return
    gone = {
        name: app
        for name, app in sorted(current.apps.items())
        if name in wanted.apps or prune == Prune.ALL
    }

    def unwanted(
        kind: Kind, of: Callable[[FleetApp], Mapping[str, Parameters]]
    ) -> Iterator[Change]:
        for app_name, app in gone.items():
            kept = of(wanted.apps.get(app_name, _NOBODY))
            for name in sorted(of(app).keys() - kept.keys()):
                yield Change(Action.DELETE, kind, app_name, name)

    yield from unwanted(Kind.INSTANCE, lambda app: app.instances)
    yield from unwanted(Kind.QUEUE, lambda app: app.queues)
    for name in gone:
        if name not in wanted.apps:
            yield Change(Action.DELETE, Kind.APP, name, name)


def _written(parameters: Parameters, written: Parameters) -> Parameters:
    """Return parameters after a write; what is written as None or as no queues is gone."""
    after = {**parameters, **written}
    if not value_of(after, "pinned"):
        after.pop("branch", None)
    return {
        key: value
        for key, value in after.items()
        if value is not None and not (key == "queues" and not value)
    }
