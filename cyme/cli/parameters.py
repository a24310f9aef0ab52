"""Parameters on the command line: ``max_concurrency=4``, ``labels.zone=a``, ``password=@FILE``.

A word is a name, ``=`` and a value. An empty value resets the parameter. ``@FILE`` takes the value
from a file, ``@-`` from standard input, so that a secret stands in no history and no list of
processes. A dot in the name sets one member of a map and leaves the others. What a value must be
is the branch's business, which also knows the names.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from cyme.cli.faults import BadUsage

_NAME = re.compile(r"[a-z][a-z0-9_-]*(\.[^=\s]+)?\Z")
_MAPS = frozenset({"env", "labels", "options"})
_BROKER_PARTS = ("port", "userid", "password", "virtual_host", "vhost")
_VALUE_BYTES_MAX = 1024 * 1024


def parameters_in(words: Sequence[str], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the parameters in words such as ``pool=threads``.

    Args:
        words: The words.
        before: What is so now, for what changes one member of a map only.

    Raises:
        BadUsage: A word is no parameter, or one is there twice.
    """
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not _NAME.match(name):
            raise BadUsage(f"{word!r} is no parameter; one is written as max_concurrency=4.")
        name, dot, member = name.partition(".")
        name = name.replace("-", "_")
        value = _value(name, text)
        if dot:
            _set_member(found, name, member, value, before or {})
        elif name in found:
            raise BadUsage(f"{name} is there twice.")
        else:
            found[name] = value
    return _with_whole_broker(found)


def split_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the names, and the parameters that follow them."""
    names = [word for word in words if "=" not in word]
    return names, [word for word in words if "=" in word]


def json_object(text: str | None, what: str) -> dict[str, Any] | None:
    """Return the object in a JSON text, None if there is no text.

    Raises:
        BadUsage: There is none in it.
    """
    if not text:
        return None
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise BadUsage(f"The {what} are no JSON: {exc}.") from exc
    if not isinstance(value, dict):
        raise BadUsage(f"The {what} must be a JSON object, as " + '{"durable": false}' + " is one.")
    return value


def _with_whole_broker(found: dict[str, Any]) -> dict[str, Any]:
    """Return parameters in which the URL of a broker holds the password that stands beside it.

    Raises:
        BadUsage: There are parts of a broker that belong to no host.
    """
    parts = [name for name in _BROKER_PARTS if found.get(name) is not None]
    url = found.get("broker")
    if not parts or "hostname" in found:
        return found
    if not isinstance(url, str) or parts != ["password"]:
        raise BadUsage(
            f"{parts[0]} is a part of a broker; give its hostname, or a broker URL, too."
        )
    try:
        split = urlsplit(url)
        login, _, host = split.netloc.rpartition("@")
    except ValueError:
        raise BadUsage("The URL of the broker cannot be taken apart.") from None
    password = quote(str(found["password"]), safe="")
    netloc = f"{login.partition(':')[0]}:{password}@{host}"
    rest = {name: value for name, value in found.items() if name != "password"}
    return {**rest, "broker": urlunsplit(split._replace(netloc=netloc))}


def _set_member(
    found: dict[str, Any], name: str, member: str, value: Any, before: Mapping[str, Any]
) -> None:
    if name not in _MAPS:
        raise BadUsage(f"{name} has no members; {', '.join(sorted(_MAPS))} have.")
    members = found.setdefault(name, dict(before.get(name) or {}))
    if not isinstance(members, dict):
        raise BadUsage(f"{name} is there twice.")
    if value is None:
        members.pop(member, None)
    else:
        members[member] = value


def _value(name: str, text: str) -> Any:
    if not text:
        return None
    if not text.startswith("@"):
        return text
    try:
        if text == "@-":
            content = sys.stdin.read(_VALUE_BYTES_MAX)
        else:
            with Path(text[1:]).open(encoding="utf-8") as file:
                content = file.read(_VALUE_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as exc:
        raise BadUsage(f"The value of {name} cannot be read from {text[1:]}: {exc}.") from exc
    return content.rstrip("\r\n")
