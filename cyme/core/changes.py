"""Changes of records: a new record made of an old one. What is deleted keeps no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from cyme.core.labels import read_labels
from cyme.core.model import App, Instance, Queue, Stamp, WorkerSpec


def spec_with(spec: WorkerSpec, changes: Mapping[str, object]) -> WorkerSpec:
    """Return a spec with checked changes applied; what is not a field of it is left out."""
    known = {field.name for field in fields(WorkerSpec)}
    normal = {name: _normal(name, value) for name, value in changes.items() if name in known}
    return replace(spec, **normal)  # type: ignore[arg-type]  # checked by core.parameters


def _normal(name: str, value: object) -> object:
    """Return the form in which a value is kept: equal things must be equal."""
    match name, value:
        case "env", Mapping():
            return tuple(sorted(value.items()))
        case "env", list() | tuple():
            return tuple(sorted((key, text) for key, text in value))
        case (("arguments" | "extra_config" | "labels"), str()) if not value.strip():
            return None
        case "labels", str() | Mapping() | list() | tuple():
            return read_labels(value)
    return value


def what_changed(before: WorkerSpec, after: WorkerSpec) -> list[str]:
    """Return the names of the fields in which two specs differ, sorted."""
    return sorted(
        field.name
        for field in fields(WorkerSpec)
        if getattr(before, field.name) != getattr(after, field.name)
    )


def without_queue(instance: Instance, queue: str, stamp: Stamp, now: float) -> Instance:
    """Return an instance that consumes from a queue no more."""
    return replace(
        instance,
        queues=tuple(name for name in instance.queues if name != queue),
        stamp=stamp,
        version=instance.version + 1,
        updated_at=now,
    )


def app_tombstone(app: App, stamp: Stamp, now: float) -> App:
    """Return what is left of a deleted app; no secret is."""
    return replace(
        app,
        spec=WorkerSpec(),
        stamp=stamp,
        version=app.version + 1,
        updated_at=now,
        deleted=True,
    )


def queue_tombstone(queue: Queue, stamp: Stamp, now: float) -> Queue:
    """Return what is left of a deleted queue declaration."""
    return replace(queue, stamp=stamp, version=queue.version + 1, updated_at=now, deleted=True)


def instance_tombstone(instance: Instance, stamp: Stamp, now: float) -> Instance:
    """Return what is left of a deleted instance; no secret is."""
    return replace(
        instance,
        spec=WorkerSpec(),
        queues=(),
        stamp=stamp,
        version=instance.version + 1,
        updated_at=now,
        deleted=True,
    )
