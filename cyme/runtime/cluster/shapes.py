"""What plain values must be like to become values of ours: one reader a type.

A reader takes a plain value (as MessagePack makes them) and returns what it stands for, or
raises ``ProtocolError``. It checks the type and the range of what it is given, and tells where
something was wrong, but nothing of what was there: records carry passwords.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from operator import attrgetter
from typing import Generic, TypeVar

from cyme.core.names import check_name
from cyme.errors import InvalidRequest, ProtocolError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
E = TypeVar("E", bound=StrEnum)

Read = Callable[[object], T]

#: The greatest whole number that every language reads as it is.
WHOLE_MAX = 2**53 - 1

#: The end of the year 9999: the last moment that has a date, in seconds since 1970 UTC.
MOMENT_S_MAX = 253_402_300_799

#: Characters of the endpoint of a socket.
ENDPOINT_CHARS_MAX = 300
PORT_MAX = 65_535

_ENDPOINT = re.compile(
    r"tcp://(?:[A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\]):([0-9]{1,5})\Z"
)


def whole(lowest: int, highest: int) -> Read[int]:
    """Return a reader of whole numbers within limits."""

    def read(plain: object) -> int:
        if type(plain) is not int or not lowest <= plain <= highest:
            raise ProtocolError(f"must be a whole number from {lowest} to {highest}")
        return plain

    return read


def real(lowest: float, highest: float) -> Read[float]:
    """Return a reader of finite numbers within limits, whole ones among them."""

    def read(plain: object) -> float:
        # What is not a number lies within no limits.
        if type(plain) not in (float, int) or not lowest <= plain <= highest:  # type: ignore[operator]
            raise ProtocolError(f"must be a number from {lowest:g} to {highest:g}")
        return float(plain)  # type: ignore[arg-type]

    return read


def truth(plain: object) -> bool:
    """Read a truth value."""
    if plain is True or plain is False:
        return plain
    raise ProtocolError("must be true or false")


def text(chars_max: int) -> Read[str]:
    """Return a reader of texts."""

    def read(plain: object) -> str:
        if type(plain) is not str or len(plain) > chars_max:
            raise ProtocolError(f"must be a text of at most {chars_max} characters")
        return plain

    return read


def octets(plain: object) -> bytes:
    """Read bytes."""
    if type(plain) is not bytes:
        raise ProtocolError("must be bytes")
    return plain


def name(kind: str) -> Read[str]:
    """Return a reader of names, by the rules of ``core.names``."""

    def read(plain: object) -> str:
        try:
            return check_name(kind, plain if type(plain) is str else "")
        except InvalidRequest:
            # The cause would tell of the content.
            raise ProtocolError(f"must be a name, fit for the kind {kind!r}") from None

    return read


def matching(pattern: re.Pattern[str], said: str) -> Read[str]:
    """Return a reader of texts that match a pattern; ``said`` is it in words."""

    def read(plain: object) -> str:
        if type(plain) is not str or pattern.match(plain) is None:
            raise ProtocolError(f"must be {said}")
        return plain

    return read


def endpoint(plain: object) -> str:
    """Read the endpoint of a socket of another branch."""
    if type(plain) is str and len(plain) <= ENDPOINT_CHARS_MAX:
        found = _ENDPOINT.match(plain)
        if found is not None and 1 <= int(found[1]) <= PORT_MAX:
            return plain
    raise ProtocolError("must be an endpoint, tcp://host:port")


def one_of(enum: type[E]) -> Read[E]:
    """Return a reader of the members of an enumeration."""
    members = {member.value: member for member in enum}

    def read(plain: object) -> E:
        member = members.get(plain) if type(plain) is str else None
        if member is None:
            raise ProtocolError(f"must be one of {', '.join(members)}")
        return member

    return read


def optional(reader: Read[T]) -> Read[T | None]:
    """Return a reader of what may be missing."""
    return lambda plain: None if plain is None else reader(plain)


def listed(reader: Read[T], most: int, least: int = 0) -> Read[tuple[T, ...]]:
    """Return a reader of rows of one kind of things."""

    def read(plain: object) -> tuple[T, ...]:
        if type(plain) is not list or not least <= len(plain) <= most:
            raise ProtocolError(f"must be a list of {least} to {most} elements")
        return tuple([reader(element) for element in plain])

    return read


def joint(*readers: Read[T]) -> Read[tuple[T, ...]]:
    """Return a reader of rows that have one thing of each kind; what follows is not read."""

    def read(plain: object) -> tuple[T, ...]:
        if type(plain) is not list or len(plain) < len(readers):
            raise ProtocolError(f"must be a list of {len(readers)} elements")
        return tuple([reader(part) for reader, part in zip(readers, plain, strict=False)])

    return read


class Row(Generic[T_co]):
    """The shape of a value on the wire: a list of its fields, in an order of their own.

    Whatever follows the known fields is not read: later versions append.

    Args:
        cls: The class of the value.
        fields: The reader of each field, in the order of the wire.

    Attributes:
        cls: The class of the value.
        names: The names of the fields, in that order.
    """

    def __init__(self, cls: type[T_co], **fields: Read[object]) -> None:
        self.cls = cls
        self.names = tuple(fields)
        self._fields = tuple(fields.items())
        self._values = attrgetter(*fields)

    def plain(self, value: object) -> object:
        """Return a value of the class as a list of its fields, which may be values in turn."""
        return self._values(value)

    def read(self, plain: object) -> T_co:
        """Return the value that a list of fields stands for.

        Raises:
            ProtocolError: It is no list, or too short, or a field is not as it must be.
        """
        if type(plain) is not list:
            raise ProtocolError(f"{self.cls.__name__} must be a list")
        given: dict[str, object] = {}
        field = "?"
        try:
            for (field, reader), part in zip(self._fields, plain, strict=False):
                given[field] = reader(part)
        except ProtocolError as exc:
            raise ProtocolError(f"{self.cls.__name__}.{field}: {exc.detail}") from None
        if len(given) < len(self._fields):
            raise ProtocolError(f"{self.cls.__name__} must have {len(self._fields)} fields")
        return self.cls(**given)


class Choice(Generic[T]):
    """The shape of a value that may be of several classes: a letter and the row of its class.

    Args:
        rows: The row of each class by its letter.
    """

    def __init__(self, rows: Mapping[str, Row[T]]) -> None:
        self._rows = rows

    def read(self, plain: object) -> T:
        """Return the value that a letter and a list of fields stand for."""
        match plain:
            case [str(letter), fields, *_] if letter in self._rows:
                return self._rows[letter].read(fields)
        raise ProtocolError(f"must begin with one of {', '.join(self._rows)}")
