"""Performing a plan, change by change.

The laws of this file:

* A change is written only if what it changes is still as the plan found it (``If-Match``).
* What failed stops what needs it: nothing of an app that was not created is tried, no instance
  whose queue was not declared, and nothing is deleted once anything failed.
* A cluster that cannot be asked any more, or does not know the token, stops everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cyme.client.client import Client
from cyme.client.errors import (
    ClientError,
    ConnectionFailed,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
)
from cyme.client.fleet.changes import Action, Change, FieldChange, Kind, Plan
from cyme.client.fleet.model import Parameters, value_of
from cyme.client.fleet.observing import app_parameters, instance_parameters, queue_parameters
from cyme.client.fleet.same import is_same
from cyme.client.instances import Instance
from cyme.client.models import Model

#: Told of every change that was tried: what it was, and what it failed with.
OnStep = Callable[[Change, ClientError | None], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A change that was tried and failed.

    Attributes:
        change: What was tried.
        error: Why it failed.
    """

    change: Change
    error: ClientError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan.

    Attributes:
        done: What was done, in that order.
        failed: What was tried and failed.
        not_tried: What was left out because of what failed.
    """

    done: tuple[Change, ...]
    failed: tuple[Failure, ...]
    not_tried: tuple[Change, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all of the plan was done."""
        return not self.failed and not self.not_tried

    def text(self) -> str:
        """Return what there is to tell of it as a text, without secrets."""
        return "\n".join(
            [
                *(f"done: {each.title}" for each in self.done),
                *(f"failed: {each.change.title}: {each.error.detail}" for each in self.failed),
                *(f"not tried: {each.title}" for each in self.not_tried),
            ]
        )


def apply(client: Client, plan: Plan, on_step: OnStep | None = None) -> Outcome:
    """Perform a plan; what fails is told and raises nothing.

    Args:
        client: The cluster.
        plan: What there is to do.
        on_step: Told of every change that was tried.
    """
    done: list[Change] = []
    failed: list[Failure] = []
    not_tried: list[Change] = []
    has_ended = False
    for change in plan.changes:
        if has_ended or _needs_any(change, failed, not_tried):
            not_tried.append(change)
            continue
        try:
            _perform(client, change)
        except ClientError as exc:
            failed.append(Failure(change, exc))
            has_ended = isinstance(exc, ConnectionFailed | NotAuthenticated)
            error: ClientError | None = exc
        else:
            done.append(change)
            error = None
        if on_step is not None:
            on_step(change, error)
    return Outcome(tuple(done), tuple(failed), tuple(not_tried))


def _needs_any(change: Change, failed: Iterable[Failure], not_tried: Iterable[Change]) -> bool:
    """Tell whether a change needs something that was not done."""
    missing = [*(each.change for each in failed), *not_tried]
    if change.action == Action.DELETE:
        return bool(missing)
    return any(_needs(change, each) for each in missing)


def _needs(change: Change, missing: Change) -> bool:
    if missing.kind == Kind.INSTANCE and missing.action == Action.DELETE:
        return change.kind == Kind.INSTANCE and change.name == missing.name
    if missing.app != change.app:
        return False
    match missing.kind:
        case Kind.APP:
            return change.kind != Kind.APP
        case Kind.QUEUE:
            return missing.name in (change.parameters.get("queues") or ())
        case Kind.INSTANCE:
            return change.kind == Kind.INSTANCE and change.name == missing.name


def _perform(client: Client, change: Change) -> None:
    match change.action:
        case Action.CREATE:
            _create(client, change)
        case Action.UPDATE:
            _update(client, change)
        case Action.MOVE:
            _move(client, change)
        case Action.DELETE:
            _delete(client, change)


def _create(client: Client, change: Change) -> None:
    given = dict(change.parameters)
    match change.kind:
        case Kind.APP:
            client.apps.add(change.name, must_be_new=True, **given)
        case Kind.QUEUE:
            client.apps.of(change.app).queues.add(change.name, must_be_new=True, **given)
        case Kind.INSTANCE:
            client.apps.of(change.app).instances.add(change.name, must_be_new=True, **given)


def _update(client: Client, change: Change) -> None:
    model = _found(client, change)
    _check_unchanged(change, _parameters(model))
    model.write(change.parameters, if_match=model.etag)


def _move(client: Client, change: Change) -> None:
    model = _found(client, change)
    assert isinstance(model, Instance)
    branch = str(change.parameters["branch"])
    if model.branch == branch:
        model.write({"branch": branch}, if_match=model.etag)
    else:
        model.move(branch)


def _delete(client: Client, change: Change) -> None:
    try:
        model = _found(client, change)
        model.delete(if_match=model.etag)
    except NotFound:
        return  # somebody else did it


def _found(client: Client, change: Change) -> Model:
    match change.kind:
        case Kind.APP:
            return client.apps.get(change.name)
        case Kind.QUEUE:
            return client.apps.of(change.app).queues.get(change.name)
        case Kind.INSTANCE:
            return client.apps.of(change.app).instances.get(change.name)


def _parameters(model: Model) -> Parameters:
    match model.kind:
        case "App":
            return app_parameters(model.info)
        case "Queue":
            return queue_parameters(model.info)
    return instance_parameters(model.info)


def _check_unchanged(change: Change, now: Parameters) -> None:
    """Go on only if what is to change is still as the plan found it.

    Raises:
        PreconditionFailed: It is not.
    """
    for each in change.fields:
        if not _is_as_planned(each, now):
            raise PreconditionFailed(
                f"{each.name} of the {change.kind} {change.name!r} has changed since the plan was "
                "made. Make a new one."
            )


def _is_as_planned(field: FieldChange, now: Parameters) -> bool:
    name, dot, key = field.name.partition(".")
    value = value_of(now, name)
    if dot:
        return is_same(name, (value or {}).get(key), field.old)
    return is_same(name, value, field.old)
