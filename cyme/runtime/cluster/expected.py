"""What is expected where a value of a call arrives: a reader for every type that calls use.

How values are written stands in ``cyme.runtime.cluster.encoding``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from cyme.core.model import Broker
from cyme.errors import ProtocolError
from cyme.runtime.cluster.rows import APP, INSTANCE, QUEUE, SPEC, STAMP
from cyme.runtime.cluster.shapes import Read, Row, joint, listed, octets, real, text, truth, whole
from cyme.runtime.cluster.structure import MEMBERS_MAX

#: What the key of a map begins with that stands for a value of ours.
TAG = "$"

#: Bytes of a value at most: it leaves room for the rest of its message.
VALUE_BYTES_MAX = 768 * 1024

#: What is read within the limits of the wire, as it may be stored like what arrives by itself.
RECORDS: Mapping[type, Row[object]] = {row.cls: row for row in (APP, QUEUE, INSTANCE, SPEC, STAMP)}

_READERS_MAX = 1_024

#: Finite, and no larger than whole numbers are exact.
_NUMBER_MAX = float(2**64)


@lru_cache(_READERS_MAX)
def reader_of(type_: Any) -> Read[object]:  # a type may be a union, an alias, a NewType ...
    """Return the reader of a type.

    Args:
        type_: A plain type, an enumeration, a dataclass, or a list, tuple, map or union of those;
            ``object`` for what is like JSON.

    Raises:
        TypeError: Values of that type cannot be sent.
    """
    if type_ in _PLAIN:
        return _PLAIN[type_]
    if type_ in RECORDS:
        return _tagged(type_, RECORDS[type_].read)
    if isinstance(type_, NewType):
        return reader_of(type_.__supertype__)
    origin = get_origin(type_) or type_
    if origin in _GENERIC:
        return _GENERIC[origin](*get_args(type_))
    if isinstance(origin, type) and issubclass(origin, Enum):
        return _member(origin)
    if dataclasses.is_dataclass(origin):
        return _dataclass(cast("type", origin), get_args(type_))
    raise TypeError(f"values of the type {type_} cannot be sent to another branch")


def untagged(plain: object) -> dict[str, object]:
    """Read a map that stands for itself, and return it with its keys as they were."""
    if type(plain) is not dict:
        raise ProtocolError("must be a map")
    if any(type(key) is not str for key in plain):
        raise ProtocolError("must be a map of texts")
    if any(key.startswith(TAG) and not key.startswith(TAG + TAG) for key in plain):
        raise ProtocolError("must be a map, and is something else")
    return {key[1:] if key.startswith(TAG) else key: value for key, value in plain.items()}


def _tagged(cls: type, reader: Read[object]) -> Read[object]:
    """Return a reader of what stands under the name of a class."""
    tag = TAG + cls.__name__

    def read(plain: object) -> object:
        if type(plain) is not dict or len(plain) != 1 or tag not in plain:
            raise ProtocolError(f"must be of the class {cls.__name__}")
        return reader(plain[tag])

    return read


# --- what is like JSON ---------------------------------------------------------------------------


def _anything(plain: object) -> object:
    if type(plain) is list:
        return [_anything(element) for element in plain]
    if type(plain) is not dict:
        return plain
    if len(plain) == 1 and _BROKER in plain:
        return reader_of(Broker)(plain)
    return {key: _anything(value) for key, value in untagged(plain).items()}


def _nothing(plain: object) -> None:
    if plain is not None:
        raise ProtocolError("must be nothing")


_BROKER = TAG + Broker.__name__

_PLAIN: Mapping[object, Read[object]] = {
    object: _anything,
    Any: _anything,
    None: _nothing,
    NoneType: _nothing,
    bool: truth,
    int: whole(-(2**63), 2**64 - 1),
    float: real(-_NUMBER_MAX, _NUMBER_MAX),
    str: text(VALUE_BYTES_MAX),
    bytes: octets,
}

# --- types that are made of others ---------------------------------------------------------------


def _union(*types: object) -> Read[object]:
    readers = [reader_of(type_) for type_ in types]

    def read(plain: object) -> object:
        for reader in readers:
            try:
                return reader(plain)
            except ProtocolError:
                continue
        raise ProtocolError("must be of one of the types that are expected")

    return read


def _literal(*members: Any) -> Read[object]:
    readers = [(reader_of(cast("Any", type(member))), member) for member in members]

    def read(plain: object) -> object:
        for reader, member in readers:
            try:
                if reader(plain) == member:
                    return member
            except ProtocolError:
                continue
        raise ProtocolError("must be one of the values that are expected")

    return read


def _tuple(*types: object) -> Read[object]:
    if types[1:] == (...,):
        return listed(reader_of(types[0]), MEMBERS_MAX)
    exact = joint(*map(reader_of, types))

    def read(plain: object) -> object:
        if type(plain) is not list or len(plain) != len(types):
            raise ProtocolError(f"must be a list of {len(types)} elements")
        return exact(plain)

    return read


def _list(type_: object) -> Read[object]:
    reader = listed(reader_of(type_), MEMBERS_MAX)
    return lambda plain: list(reader(plain))


def _map(key: object, type_: object) -> Read[object]:
    if reader_of(key) is not reader_of(str):
        raise TypeError(f"maps by {key} cannot be sent to another branch")
    reader = reader_of(type_)
    return lambda plain: {name: reader(value) for name, value in untagged(plain).items()}


_GENERIC: Mapping[object, Callable[..., Read[object]]] = {
    Union: _union,
    UnionType: _union,
    Literal: _literal,
    tuple: _tuple,
    list: _list,
    Sequence: _list,
    dict: _map,
    Mapping: _map,
}

# --- classes -------------------------------------------------------------------------------------


def is_plain(member: Enum) -> bool:
    """Tell whether a member of an enumeration is a text or a number, and is sent as that."""
    return isinstance(member, str | int)


def _member(enum: type[Enum]) -> Read[object]:
    members = list(enum)

    def read(plain: object) -> object:
        for member in members:
            if type(plain) is type(member.value) and plain == member.value:
                return member
        raise ProtocolError(f"must be a member of {enum.__name__}")

    return read if all(map(is_plain, members)) else _tagged(enum, read)


def _dataclass(cls: type, arguments: tuple[object, ...]) -> Read[object]:
    hints = get_type_hints(cls)
    known = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=True))
    fields = dataclasses.fields(cls)
    readers = {field.name: reader_of(_bound(hints[field.name], known)) for field in fields}
    required = {field.name for field in fields if _has_no_default(field)}

    def read(plain: object) -> object:
        given: dict[str, object] = {}
        name = "?"
        try:
            for name, value in untagged(plain).items():
                if name in readers:
                    given[name] = readers[name](value)
        except ProtocolError as exc:
            raise ProtocolError(f"{cls.__name__}.{name}: {exc.detail}") from None
        if not required <= given.keys():
            raise ProtocolError(
                f"{cls.__name__} lacks {', '.join(sorted(required - given.keys()))}"
            )
        return cls(**given)

    return _tagged(cls, read)


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _bound(hint: Any, known: Mapping[object, object]) -> object:
    """Return the type of a field of a generic class, with its variables replaced."""
    if isinstance(hint, TypeVar):
        return known[hint]
    variables = getattr(hint, "__parameters__", ())
    return hint[tuple(known[variable] for variable in variables)] if variables else hint
