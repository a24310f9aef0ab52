"""Parameters of a request, from its query, its form and its JSON body, as values of one type.

They may come in any of the three, and in all of them together as long as they agree. Whatever
is wrong is found in one go, so that the caller learns all of it from one answer.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import falcon
import msgspec
from msgspec import inspect as schema

from cyme.api.inputs import ALIASES
from cyme.api.problems import Refusal
from cyme.errors import Fault, InvalidRequest, TooLarge

BODY_BYTES_MAX = 1024 * 1024

#: The same of who shows no token: many of them together shall not fill the branch's memory.
PUBLIC_BODY_BYTES_MAX = 4 * 1024
PARAMETERS_MAX = 200

#: So deep a value may be nested, and so many characters of an unknown name are told.
_DEPTH_MAX = 32
_NAME_CHARS_TOLD = 64

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class Parameters:
    """The parameters of one kind of request.

    Args:
        of: The type whose fields they are.

    Attributes:
        type: That type.
        has_required: Whether one of them must be given.
    """

    def __init__(self, of: type[msgspec.Struct]) -> None:
        self.type = of
        self.rules = {field.encode_name: Rule(field) for field in msgspec.structs.fields(of)}
        self.has_required = any(rule.is_required for rule in self.rules.values())

    def accept(self, given: list[tuple[str, object]]) -> dict[str, Any]:
        """Return what was given under its proper names, with values of the proper types.

        Args:
            given: Names and values as they came; texts from a query or form, JSON types else.

        Raises:
            InvalidRequest: A parameter is unknown, wrong, missing, or there twice and differs.
        """
        accepted: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, value in given:
            rule = self.rules.get(ALIASES.get(name, name))
            try:
                if rule is None:
                    raise _Wrong(self._unknown(name))  # noqa: TRY301 - collected with the others
                converted = rule.convert(value)
                if accepted.setdefault(rule.name, converted) != converted:
                    raise _Wrong("is there twice with different values")  # noqa: TRY301 - as above
            except _Wrong as wrong:
                faults.append(Fault(name[:_NAME_CHARS_TOLD], str(wrong)))
        faults += [
            Fault(rule.name, f"is missing; it must be {rule.wanted}")
            for rule in self.rules.values()
            if rule.is_required
            and rule.name not in accepted
            and not any(fault.parameter == rule.name for fault in faults)
        ]
        if faults:
            told = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults)
            raise InvalidRequest(told, faults)
        return accepted

    def _unknown(self, name: str) -> str:
        known = [*self.rules, *(alias for alias in ALIASES if ALIASES[alias] in self.rules)]
        close = difflib.get_close_matches(name[:_NAME_CHARS_TOLD], known, n=1)
        if close:
            return f"is not known; did you mean {close[0]}?"
        if known:
            return f"is not known; there are {', '.join(sorted(known))}"
        return "is not known; this request takes no parameters"


class _Wrong(Exception):
    """Why a parameter is not accepted, after its name."""


class Rule:
    """What one parameter may be."""

    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.name = field.encode_name
        self.is_required = field.required
        info = schema.type_info(field.type)
        options = info.types if isinstance(info, schema.UnionType) else (info,)
        self._is_nullable = any(isinstance(option, schema.NoneType) for option in options)
        bare = [_unwrapped(option) for option in options]
        self.is_list = any(isinstance(option, schema.ListType) for option in bare)
        self.is_map = any(isinstance(option, schema.DictType) for option in bare)
        self._type = field.type
        self.wanted = _description(field.type)

    def convert(self, value: object) -> object:
        """Return the value in its proper type, None where it resets the parameter."""
        if value is None or value == "":
            if self._is_nullable:
                return None
            raise _Wrong(f"is empty; it must be {self.wanted}")
        if isinstance(value, str):
            value = self._from_text(value)
        try:
            converted: object = msgspec.convert(value, self._type, strict=False)
        except (msgspec.ValidationError, ValueError):
            raise _Wrong(f"must be {self.wanted}") from None
        _check_whole(converted)
        return converted

    def _from_text(self, text: str) -> object:
        if self.is_list and not text.startswith("["):
            return [part.strip() for part in text.split(",") if part.strip()]
        if self.is_list or self.is_map:
            try:
                return parse_json(text)
            except InvalidRequest as exc:
                raise _Wrong(f"must be {self.wanted}; {exc.detail}") from None
        return text


def given_parameters(req: falcon.Request, bytes_max: int) -> list[tuple[str, object]]:
    """Return the names and values of a request's parameters, in the order of their coming.

    Args:
        req: The request.
        bytes_max: How long its body may be.

    Raises:
        InvalidRequest: The query or the body cannot be read.
        TooLarge: The body is longer.
        Refusal: The body is of a type that is not taken.
    """
    given: list[tuple[str, object]] = []
    if req.query_string:
        given += _pairs("query", req.query_string)
    body = read_body(req, bytes_max)
    if body:
        given += _from_body(req, body)
    if len(given) > PARAMETERS_MAX:
        raise InvalidRequest(f"There are more than {PARAMETERS_MAX} parameters.")
    return given


def read_body(req: falcon.Request, bytes_max: int) -> bytes:
    """Return the whole body.

    Raises:
        TooLarge: It has more than ``bytes_max`` bytes.
    """
    env = req.env
    length = env.get("CONTENT_LENGTH")
    if length is None and "HTTP_TRANSFER_ENCODING" not in env:
        return b""
    if length and int(length) > bytes_max:
        raise _too_large(bytes_max)
    body: bytes = env["wsgi.input"].read(bytes_max + 1 if length is None else int(length or 0))
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def parse_json(text: str | bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        InvalidRequest: It is no JSON, or has an object with a name in it twice.
    """
    try:
        value: object = json.loads(
            text, object_pairs_hook=_object_without_doubles, parse_constant=_refuse_constant
        )
    except InvalidRequest:
        raise
    except UnicodeDecodeError:
        raise InvalidRequest("The JSON is not encoded in UTF-8.") from None
    except json.JSONDecodeError as exc:
        raise InvalidRequest(
            f"The JSON is not valid at line {exc.lineno}, column {exc.colno}: {exc.msg}."
        ) from None
    except (ValueError, RecursionError):
        raise InvalidRequest("The JSON has a number too long or is nested too deep.") from None
    return value


def _from_body(req: falcon.Request, body: bytes) -> Iterator[tuple[str, object]]:
    media = (req.content_type or "").partition(";")[0].strip().lower()
    looks_like_json = body.lstrip()[:1] in {b"{", b"["}
    if media == _JSON or (media.endswith("+json")) or (not media and looks_like_json):
        value = parse_json(body)
        if not isinstance(value, dict):
            raise InvalidRequest("The JSON body must be an object of parameters.")
        yield from value.items()
    elif media in {"", _FORM}:
        if looks_like_json:
            raise InvalidRequest(
                f"The body looks like JSON and is sent as a form; add 'Content-Type: {_JSON}'."
            )
        try:
            text = body.decode("utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise InvalidRequest("The form is not encoded in UTF-8.") from None
        yield from _pairs("form", text)
    else:
        raise Refusal(415, f"A body of type {media!r} is not taken; send {_FORM} or {_JSON}.")


def _pairs(source: str, text: str) -> list[tuple[str, object]]:
    try:
        return list(
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=False,
                errors="strict",
                max_num_fields=PARAMETERS_MAX,
            )
        )
    except UnicodeDecodeError:
        raise InvalidRequest(f"The {source} is not percent-encoded UTF-8.") from None
    except ValueError:
        raise InvalidRequest(f"The {source} has more than {PARAMETERS_MAX} parameters.") from None


def _object_without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise InvalidRequest.of(name[:_NAME_CHARS_TOLD], "is there twice with different values")
    return found


def _refuse_constant(constant: str) -> NoReturn:
    raise InvalidRequest(f"The JSON contains {constant}, which is no JSON number.")


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"The body has more than {bytes_max} bytes, which is the most that is taken.")


def _unwrapped(info: schema.Type) -> schema.Type:
    return _unwrapped(info.type) if isinstance(info, schema.Metadata) else info


def _description(of: Any) -> str:
    """Return the description in a type's annotation, however deep it stands."""
    for note in getattr(of, "__metadata__", ()):
        if isinstance(note, msgspec.Meta) and note.description:
            return str(note.description)
    for part in getattr(of, "__args__", ()):
        found = _description(part)
        if found:
            return found
    return ""


def _check_whole(value: object, depth: int = 0) -> None:
    """Check that every text in the value can be stored and handed to a process.

    Raises:
        _Wrong: One cannot, or the value is nested deeper than what is to read it could follow.
    """
    if depth > _DEPTH_MAX:
        raise _Wrong(f"is nested deeper than {_DEPTH_MAX} levels")
    match value:
        case str():
            if "\0" in value or not _is_encodable(value):
                raise _Wrong("contains a zero byte or half a character")
        case Mapping():
            for key, item in value.items():
                _check_whole(key, depth + 1)
                _check_whole(item, depth + 1)
        case list():
            for item in value:
                _check_whole(item, depth + 1)
        case msgspec.Struct():
            _check_whole(msgspec.structs.asdict(value), depth)


def _is_encodable(text: str) -> bool:
    """Tell whether a text can be written: JSON can escape one half of a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
