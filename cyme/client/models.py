"""What every model of a thing in a cluster has in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Self, TypeVar, overload

from cyme.client.calls import Calls, value_of
from cyme.client.errors import BadReply
from cyme.client.info import Info
from cyme.client.messages import Reply, path_of

T = TypeVar("T")
M = TypeVar("M", bound="Model")

#: The path segment that makes a write asynchronous.
ASYNC = "!"


class Member(Generic[T]):
    """A member of a representation, read as an attribute of its model.

    Args:
        read: Makes the value from what JSON says.
        doc: What it is.
    """

    def __init__(self, read: Callable[[Any], T], doc: str) -> None:
        self._read = read
        self._name = ""
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, model: None, owner: type) -> Member[T]: ...
    @overload
    def __get__(self, model: Model, owner: type) -> T: ...
    def __get__(self, model: Model | None, owner: type) -> Member[T] | T:
        if model is None:
            return self
        return self._read(model.member(self._name))


def moment(value: Any) -> datetime | None:
    """Return a moment of ISO 8601."""
    return None if value is None else datetime.fromisoformat(value)


def maybe(value: Any) -> Any:
    """Return the value as it came, None where there is none."""
    return value


def mapping(value: Any) -> Mapping[str, str]:
    """Return a mapping, an empty one where there is none."""
    return {} if value is None else dict(value)


def names(value: Any) -> tuple[str, ...]:
    """Return names."""
    return () if value is None else tuple(value)


class Model:
    """Something in a cluster, as it was when it was last read.

    Two models are equal if they are of the same kind and name the same thing.

    Args:
        calls: Asks the cluster.
        path: Its path, as segments.
        members: Its representation, as far as it is known.
        etag: The entity tag of that.
        is_partial: Whether members are missing that a read would bring.

    Attributes:
        name: Its name.
        etag: The entity tag of the representation, None if it has none.
    """

    kind = "thing"

    def __init__(
        self,
        calls: Calls,
        path: tuple[str, ...],
        members: Mapping[str, Any],
        *,
        etag: str | None = None,
        is_partial: bool = False,
    ) -> None:
        self._calls = calls
        self._path = path
        self._info = Info(members)
        self._is_partial = is_partial
        self.etag = etag
        self.name = path[-1]

    @property
    def info(self) -> Info:
        """All that the branch told of it."""
        if self._is_partial:
            self.refresh()
        return self._info

    @property
    def path(self) -> str:
        """Its path in the HTTP API."""
        return path_of(*self._path)

    def member(self, name: str) -> Any:
        """Return a member of the representation, None where the branch knows no such member."""
        if name not in self._info and self._is_partial:
            self.refresh()
        return self._info.get(name)

    def refresh(self: M) -> M:
        """Read it again, and return it.

        Raises:
            NotFound: It is gone, or not there yet.
        """
        self._take(self._calls.ask("GET", self.path))
        return self

    def delete(
        self, nowait: bool = False, *, force: bool = False, if_match: str | None = None
    ) -> None:
        """Delete it.

        Args:
            nowait: Whether to return before it is done.
            force: Also if others depend on it, or its branch is gone.
            if_match: An entity tag; nothing is deleted if that is no longer its own.

        Raises:
            NotFound: It does not exist.
            Conflict: Something depends on it.
            PreconditionFailed: It has changed.
        """
        query = {"force": True} if force else {}
        self._calls.ask("DELETE", self._writing(nowait), query=query, headers=conditions(if_match))

    def write(self, changes: Mapping[str, Any], *, if_match: str | None = None) -> None:
        """Change parameters by the names of the HTTP API; None resets one.

        Args:
            changes: What is changed.
            if_match: An entity tag; nothing is written if that is no longer its own.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            PreconditionFailed: It has changed.
        """
        self._take(self._calls.ask("PUT", self.path, members=changes, headers=conditions(if_match)))

    def _writing(self, nowait: bool) -> str:
        return asynchronous(*self._path) if nowait else self.path

    def _take(self, reply: Reply) -> None:
        self._info = Info(object_of(reply))
        self._is_partial = False
        self.etag = reply.headers.get("etag")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        return self.kind == other.kind and self._path == other._path

    def __hash__(self) -> int:
        return hash((self.kind, self._path))

    def __repr__(self) -> str:
        return f"<{self.kind}: {self.name}>"

    def __str__(self) -> str:
        return self.name


class Configured(Model):
    """A model whose parameters can be changed."""

    def update(self, *, if_match: str | None = None, **changes: Any) -> Self:
        """Change parameters; None resets one to its default. Return it.

        Args:
            if_match: An entity tag; nothing is written if that is no longer its own.
            changes: What is changed, by the names of the HTTP API.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            PreconditionFailed: It has changed.
        """
        self.write(changes, if_match=if_match)
        return self


def asynchronous(*segments: str) -> str:
    """Return the path of a write to what the segments name that returns before it is done."""
    return path_of(*segments[:-1], ASYNC, segments[-1])


def conditions(if_match: str | None = None, *, must_be_new: bool = False) -> dict[str, str]:
    """Return the header fields of a conditional write."""
    fields = {}
    if if_match is not None:
        fields["If-Match"] = if_match
    if must_be_new:
        fields["If-None-Match"] = "*"
    return fields


def name_of(wanted: str | Model) -> str:
    """Return the name of what is given by name or as a model."""
    return wanted.name if isinstance(wanted, Model) else wanted


def object_of(reply: Reply) -> Mapping[str, Any]:
    """Return the JSON object that a branch answered with.

    Raises:
        BadReply: It is none.
    """
    found: Mapping[str, Any] = _json_of(reply, dict, "object")
    return found


def list_of(reply: Reply) -> list[Any]:
    """Return the JSON list that a branch answered with.

    Raises:
        BadReply: It is none.
    """
    found: list[Any] = _json_of(reply, list, "list")
    return found


def _json_of(reply: Reply, wanted: type, called: str) -> Any:
    found = value_of(reply)
    if not isinstance(found, wanted):
        raise BadReply(
            f"{reply.url} answered with no JSON {called} where one was due. Is it a branch?",
            status=reply.status,
            url=reply.url,
        )
    return found
