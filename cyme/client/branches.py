"""Branches, the cluster that they form, and the tokens that they know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cyme.client.calls import Calls
from cyme.client.messages import path_of
from cyme.client.models import Member, Model, list_of, mapping, maybe, moment, object_of


class Branch(Model):
    """A branch, as the one that was asked knows it."""

    kind = "Branch"

    id: Member[str] = Member(maybe, "Its name.")
    state: Member[str] = Member(maybe, "``alive``, ``suspect``, ``failed``, ``leaving``, ``left``.")
    url: Member[str | None] = Member(maybe, "Where it serves HTTP.")
    address: Member[str | None] = Member(maybe, "Where its peers reach it.")
    port: Member[int | None] = Member(maybe, "The port of HTTP.")
    version: Member[str] = Member(maybe, "Its version of Cyme.")
    labels: Member[Mapping[str, str]] = Member(mapping, "What it has.")
    drained: Member[bool] = Member(bool, "Whether it takes no instances.")
    capacity: Member[int] = Member(maybe, "How many instances it takes.")
    instances: Member[int] = Member(maybe, "How many it owns.")
    load: Member[float | None] = Member(maybe, "The load of its machine.")
    hub_lag_s: Member[float | None] = Member(maybe, "How late its event loop was lately.")
    loglevel: Member[str] = Member(maybe, "How much it logs.")
    logfile: Member[str | None] = Member(maybe, "Where to.")
    numc: Member[int] = Member(maybe, "As ``--numc`` had it.")
    sup_interval: Member[float] = Member(maybe, "How often its supervisor wakes, in seconds.")
    since: Member[datetime | None] = Member(moment, "When its state began.")
    heard_s: Member[float] = Member(maybe, "How long ago it was heard of, in seconds.")

    def delete(self, *_: Any, **__: Any) -> None:
        """Refuse: a branch is stopped on its machine."""
        raise TypeError("A branch is stopped on its machine; drain() takes its instances away.")

    def drain(self) -> list[Move]:
        """Have it take no instances, and move those that it has; return where each goes."""
        return [Move(**each) for each in list_of(self._calls.ask("POST", self._verb("drain")))]

    def undrain(self) -> None:
        """Have it take instances again."""
        self._calls.ask("POST", self._verb("undrain"))

    @property
    def tokens(self) -> Tokens:
        """The tokens that it knows."""
        return Tokens(self._calls, self.name)

    def _verb(self, verb: str) -> str:
        return path_of("branches", self.name, verb)


@dataclass(frozen=True, slots=True)
class Move:
    """An instance that is to move.

    Attributes:
        instance: Its name.
        source: The branch it leaves.
        target: The branch it goes to; None if it stays.
        reason: Why.
    """

    instance: str
    source: str
    target: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a branch knows.

    Attributes:
        name: Its name.
        role: ``viewer``, ``operator`` or ``admin``.
        created_at: When it was made; None where that was not told.
        token: The secret itself, told once, when it is made; empty otherwise.
    """

    name: str
    role: str
    created_at: datetime | None = None
    token: str = field(default="", repr=False)


class Tokens:
    """The tokens that a branch knows. All calls need the role admin."""

    def __init__(self, calls: Calls, branch: str) -> None:
        self._calls = calls
        self._path = ("branches", branch, "tokens")

    def all(self) -> list[Token]:
        """Return the tokens, without their secrets."""
        return [_token(each) for each in list_of(self._calls.ask("GET", path_of(*self._path)))]

    def add(self, name: str, role: str = "viewer") -> Token:
        """Make a token, and return it with its secret.

        Raises:
            Conflict: There is one of this name.
        """
        path = path_of(*self._path, name)
        reply = self._calls.ask("PUT", path, query={"role": role}, is_idempotent=False)
        return _token(object_of(reply))

    def delete(self, name: str) -> None:
        """Revoke a token.

        Raises:
            NotFound: There is none of this name.
        """
        self._calls.ask("DELETE", path_of(*self._path, name))


def _token(found: Mapping[str, Any]) -> Token:
    created_at = found.get("created_at")
    return Token(
        name=str(found["name"]),
        role=str(found["role"]),
        created_at=moment(created_at) if isinstance(created_at, str) else None,
        token=str(found.get("token", "")),
    )
