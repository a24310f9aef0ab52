"""What would change, or has: one value a change, with words for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cyme.client.fleet.secrets import MASK, is_secret_name, without_secrets


class Action(StrEnum):
    """What is done."""

    CREATE = "create"
    UPDATE = "update"
    MOVE = "move"
    DELETE = "delete"


class Kind(StrEnum):
    """What it is done to."""

    APP = "app"
    QUEUE = "queue"
    INSTANCE = "instance"


class Prune(StrEnum):
    """What of the cluster is deleted that a fleet does not have."""

    NOTHING = "nothing"
    WITHIN = "within"  # queues and instances of the fleet's own apps
    ALL = "all"  # and apps


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One parameter that changes.

    Attributes:
        name: The parameter; ``env.NAME`` for one of the environment, ``labels.KEY`` alike.
        old: Its value so far, None where it had none. It may be a secret.
        new: Its value from then on, None where it is reset. It may be a secret.
    """

    name: str
    old: Any = field(repr=False)
    new: Any = field(repr=False)

    @property
    def shown_old(self) -> str:
        """The value so far as it may be printed."""
        return shown(self.name, self.old)

    @property
    def shown_new(self) -> str:
        """The value from then on as it may be printed."""
        new = shown(self.name, self.new)
        hides_it = self.old is not None and self.new is not None and new == self.shown_old
        return f"{new} (another secret)" if hides_it else new


@dataclass(frozen=True, slots=True)
class Line:
    """A line of what is told of a change.

    Attributes:
        mark: ``+`` for what comes, ``-`` for what goes, ``~`` for what changes.
        text: The rest of it.
    """

    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a cluster: of one app, queue or instance.

    Attributes:
        action: What is done.
        kind: What it is done to.
        app: The name of the app.
        name: The name of what changes; the app's again for an app.
        fields: What of it changes.
        parameters: What is written: a parameter that is None is reset. It may hold secrets.
    """

    action: Action
    kind: Kind
    app: str
    name: str
    fields: tuple[FieldChange, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def title(self) -> str:
        """What is done to what: ``update instance shop/w1``."""
        what = self.name if self.kind == Kind.APP else f"{self.app}/{self.name}"
        return f"{self.action} {self.kind} {what}"

    def lines(self) -> Iterator[Line]:
        """Yield what there is to tell of it, without secrets."""
        mark = {Action.CREATE: "+", Action.DELETE: "-"}.get(self.action, "~")
        yield Line(mark, self.title)
        for each in self.fields:
            if self.action == Action.CREATE:
                yield Line("+", f"    {each.name} = {each.shown_new}")
            elif self.action != Action.DELETE:
                yield Line("~", f"    {each.name}: {each.shown_old} -> {each.shown_new}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do, in the order in which it is done.

    Attributes:
        changes: One a thing and action; empty where the cluster is as it is wanted.
        restarts: The instances that are to run and restart for it, as ``shop/w1``.
    """

    changes: tuple[Change, ...] = ()
    restarts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def count(self, action: Action) -> int:
        """Return how many changes are of a kind of action."""
        return sum(change.action == action for change in self.changes)

    def lines(self) -> Iterator[Line]:
        """Yield what there is to tell of it, without secrets."""
        for change in self.changes:
            yield from change.lines()
        for name in self.restarts:
            yield Line("~", f"restart instance {name}")

    def text(self) -> str:
        """Return what there is to tell of it as a text, empty where nothing changes."""
        return "\n".join(str(line) for line in self.lines())

    def summary(self) -> str:
        """Return it in a sentence."""
        if not self:
            return "Nothing would change."
        words = {
            Action.CREATE: "to create",
            Action.UPDATE: "to change",
            Action.MOVE: "to move",
            Action.DELETE: "to delete",
        }
        counted = [(self.count(action), word) for action, word in words.items()]
        counted.append((len(self.restarts), "to restart"))
        return ", ".join(f"{count} {word}" for count, word in counted if count) + "."


def shown(name: str, value: Any) -> str:
    """Return a parameter's value as it may be printed: without passwords and secret variables."""
    if value is None:
        return "(default)"
    parameter, _, key = name.partition(".")
    if parameter == "env" and isinstance(value, str) and is_secret_name(key):
        return MASK
    return json.dumps(without_secrets(parameter, value), ensure_ascii=False, sort_keys=True)
