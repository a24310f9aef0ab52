"""Arguments, results and errors of calls between branches as bytes.

Who encodes knows the value, who decodes knows the type that it expects; nothing that is sent
names code. Within MessagePack, a map whose only key begins with one ``$`` stands for a value of
ours:

* ``{"$Caller": {field: value}}``: a dataclass by the name of its class; fields that are not known
  are ignored, and those that are missing take their defaults;
* ``{"$App": [value]}``: a record, in the order and within the limits of the wire;
* ``{"$Keep": value}``: a member of an enumeration that is neither a text nor a number.

Where ``object`` is expected the value is like JSON, and a ``Broker`` may stand in it. A key of a
map that begins with ``$`` by itself gets one more.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Collection, Mapping
from enum import Enum

from cyme import errors
from cyme.errors import (
    CymeError,
    Fault,
    InvalidRequest,
    NotFound,
    NotOwner,
    ProtocolError,
    TooLarge,
    Unavailable,
)
from cyme.runtime.cluster.expected import (
    RECORDS,
    TAG,
    VALUE_BYTES_MAX,
    is_plain,
    reader_of,
    untagged,
)
from cyme.runtime.cluster.rows import DURATION_S_MAX, SHORT_CHARS_MAX, WORDS_CHARS_MAX, plain
from cyme.runtime.cluster.shapes import WHOLE_MAX, Read, Row, listed, real, text, whole
from cyme.runtime.cluster.structure import DEPTH_MAX, check_structure, packed, unpacked

logger = logging.getLogger(__name__)

#: Faults of one error that are told, and characters of each; what is more is cut off.
FAULTS_MAX = 100
FAULT_CHARS_MAX = 1_000

#: Classes of one error that are told, itself and those above it.
CLASSES_MAX = 16

_INCIDENT_BYTES = 4


def encode(value: object) -> bytes:
    """Return a value as bytes.

    Args:
        value: Of one of the types that ``decode`` takes.

    Raises:
        TooLarge: It is larger than what another branch would take.
        TypeError: There is something in it that cannot be sent.
    """
    try:
        data = packed(_plain(value, 0), plain)
        check_structure(data)
    except ProtocolError as exc:
        raise TooLarge(
            "There is too much in what is asked of another branch, or in its answer. Ask for less."
        ) from exc
    if len(data) > VALUE_BYTES_MAX:
        raise TooLarge(
            f"What is asked of another branch, or its answer, has {len(data)} bytes; "
            f"{VALUE_BYTES_MAX} are the most. Ask for less."
        )
    return data


def decode(data: bytes, type_: object) -> object:
    """Return the value that bytes stand for.

    Args:
        data: What ``encode`` returned.
        type_: What is expected: a plain type, an enumeration, a dataclass, or a list, tuple, map
            or union of those; ``object`` for what is like JSON.

    Raises:
        ProtocolError: It is not of that type, or not within the limits.
        TypeError: No value of that type can be sent.
    """
    return reader_of(type_)(unpacked(data, VALUE_BYTES_MAX))


def decode_arguments(
    data: bytes, types: Mapping[str, object], required: Collection[str] = ()
) -> dict[str, object]:
    """Return the arguments of a call, encoded as a map.

    Args:
        data: What ``encode`` returned for the map.
        types: The type of every argument by its name.
        required: The names of those that must be there.

    Raises:
        ProtocolError: An argument is not of its type, missing or not known.
        TypeError: No value of such a type can be sent.
    """
    readers = {name: reader_of(type_) for name, type_ in types.items()}
    given = untagged(unpacked(data, VALUE_BYTES_MAX))
    if not given.keys() <= readers.keys():
        # To leave out what somebody asked for would be to do something else.
        raise ProtocolError("There is an argument that is not known here.")
    if not given.keys() >= set(required):
        raise ProtocolError("An argument is missing.")
    return {name: readers[name](value) for name, value in given.items()}


def _plain(value: object, depth: int) -> object:
    """Return a value as plain values, and records as lists that may hold values."""
    if depth > DEPTH_MAX:
        raise TooLarge(f"What goes to another branch may be nested {DEPTH_MAX} levels deep.")
    match value:
        case Enum():
            return value.value if is_plain(value) else {_tag(value): value.value}
        case int() if not -(2**63) <= value < 2**64:
            raise TooLarge("A whole number of more than 64 bits cannot go to another branch.")
        case None | bool() | int() | float() | str() | bytes():
            return value
        case Mapping():
            return {_escaped(key): _plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item, depth + 1) for item in value]
    if type(value) in RECORDS:
        return {_tag(value): RECORDS[type(value)].plain(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return {_tag(value): _plain(fields, depth + 1)}
    raise TypeError(f"a {type(value).__name__} cannot be sent to another branch")


def _tag(value: object) -> str:
    return TAG + type(value).__name__


def _escaped(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a map by {type(key).__name__} cannot be sent to another branch")
    return TAG + key if key.startswith(TAG) else str(key)


# --- errors --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Told:
    """An error on its way: its class and those above it, its message, its fields."""

    classes: tuple[str, ...]
    detail: str
    fields: Mapping[str, object]


_told = Row(
    _Told,
    classes=listed(text(SHORT_CHARS_MAX), CLASSES_MAX),
    detail=text(WORDS_CHARS_MAX),
    fields=untagged,
)

_CLASSES: Mapping[str, type[CymeError]] = {
    name: cls
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, CymeError)
}

_fault = Row(Fault, parameter=text(FAULT_CHARS_MAX), detail=text(FAULT_CHARS_MAX))

#: What an error says beside its message, by the class that says it.
_FIELDS: Mapping[type[CymeError], Mapping[str, Read[object]]] = {
    InvalidRequest: {"faults": listed(_fault.read, FAULTS_MAX)},
    NotFound: {"kind": text(WORDS_CHARS_MAX), "name": text(WORDS_CHARS_MAX)},
    Unavailable: {"retry_after_s": real(0, DURATION_S_MAX)},
    NotOwner: {"owner": text(WORDS_CHARS_MAX), "epoch": whole(0, WHOLE_MAX)},
}


def encode_error(error: Exception) -> bytes:
    """Return an error as bytes: its class, its message and its fields.

    An error that nobody foresaw is logged here with its traceback, under an id that is all that
    the other branch is told of it.
    """
    if not isinstance(error, CymeError):
        incident = secrets.token_hex(_INCIDENT_BYTES)
        logger.error("Error %s in a call of another branch", incident, exc_info=error)
        error = CymeError(
            "The fault is of the branch that was asked; its log tells more under the id "
            f"{incident}."
        )
    classes = [cls.__name__ for cls in type(error).__mro__]
    fields = {name: _cut(getattr(error, name)) for name in _fields_of(type(error))}
    return packed([classes, error.detail[:WORDS_CHARS_MAX], fields])


def decode_error(data: bytes) -> CymeError:
    """Return the error that bytes stand for; it is the caller's to raise.

    Where its class is not known here it is of the nearest one above that is.

    Raises:
        ProtocolError: The bytes are no error.
    """
    told = _told.read(unpacked(data, VALUE_BYTES_MAX))
    cls = next((_CLASSES[name] for name in told.classes if name in _CLASSES), CymeError)
    # The constructors make the message of their arguments; it is made already.
    error = cls.__new__(cls)
    CymeError.__init__(error, told.detail)
    for name, reader in _fields_of(cls).items():
        if name not in told.fields:
            raise ProtocolError(f"{cls.__name__} lacks {name}")
        setattr(error, name, reader(told.fields[name]))
    return error


def _fields_of(cls: type[CymeError]) -> dict[str, Read[object]]:
    return {name: reader for each in cls.__mro__ for name, reader in _FIELDS.get(each, {}).items()}


def _cut(value: object) -> object:
    """Return a field of an error as plain values that are not too long."""
    match value:
        case str():
            return value[:WORDS_CHARS_MAX]
        case tuple():
            return [
                (fault.parameter[:FAULT_CHARS_MAX], fault.detail[:FAULT_CHARS_MAX])
                for fault in value[:FAULTS_MAX]
            ]
    return value
