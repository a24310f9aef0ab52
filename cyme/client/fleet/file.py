"""A fleet file: TOML in, a ``Fleet`` out, or everything that is wrong with it.

A text may refer to variables of the environment, so that no secret stands in the file:
``{ env = "NAME" }`` in place of the text, or ``$NAME`` and ``${NAME}`` within it; ``$$`` is ``$``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from cyme.client.fleet.faults import FleetFault, InvalidFleet
from cyme.client.fleet.model import (
    INSTANCE_PARAMETERS,
    QUEUE_PARAMETERS,
    WORKER_PARAMETERS,
    Fleet,
    FleetApp,
    Parameters,
)

FILE_BYTES_MAX = 16 * 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_BROKER_FIELDS = ("hostname", "port", "userid", "password", "virtual_host")

_WANTED = {
    str: 'a text in quotes, or { env = "NAME" }',
    int: "a whole number",
    bool: "true or false",
    list: 'a list of names, as ["one", "two"]',
    dict: 'a table of texts, as { NAME = "value" }',
}


def read(path: str | PathLike[str], environ: Mapping[str, str]) -> Fleet:
    """Return the fleet in a file.

    Args:
        path: The file.
        environ: Where the variables are that the file refers to.

    Raises:
        InvalidFleet: It cannot be read, or something is wrong with it.
    """
    file = str(path)
    try:
        with Path(path).open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise InvalidFleet([FleetFault(file, "", "", f"it cannot be read: {reason}")]) from exc
    except UnicodeDecodeError as exc:
        raise InvalidFleet([FleetFault(file, "", "", "it is not encoded in UTF-8")]) from exc
    if len(content) > FILE_BYTES_MAX:
        raise InvalidFleet([FleetFault(file, "", "", "it is larger than 16 MiB")])
    return parse(text, file=file, environ=environ)


def parse(text: str, *, file: str = "fleet.toml", environ: Mapping[str, str]) -> Fleet:
    """Return the fleet in a text.

    Args:
        text: TOML.
        file: What errors call it.
        environ: Where the variables are that it refers to.

    Raises:
        InvalidFleet: With everything that is wrong with it.
    """
    import tomllib  # noqa: PLC0415 - programs without a fleet do without

    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise InvalidFleet([FleetFault(file, "", "", f"it is no TOML: {exc}")]) from exc
    reader = _Reader(file, environ)
    fleet = reader.fleet(document)
    if reader.faults:
        raise InvalidFleet(reader.faults)
    return fleet


class _Reader:
    """Reads a document and collects what is wrong with it."""

    def __init__(self, file: str, environ: Mapping[str, str]) -> None:
        self._file = file
        self._environ = environ
        self.faults: list[FleetFault] = []

    def fleet(self, document: Mapping[str, Any]) -> Fleet:
        for key in document:
            if key != "apps":
                self._fault("", key, f"is not known here{_suggestion(key, ['apps'])}")
        tables = self._tables("", "apps", document.get("apps", {}))
        apps = {name: self._app(name, table) for name, table in tables.items()}
        self._check_unique(apps)
        return Fleet(apps)

    def _app(self, name: str, table: Mapping[str, Any]) -> FleetApp:
        where = f"apps.{_key(name)}"
        known = [*WORKER_PARAMETERS, "queues", "instances"]
        own = {key: value for key, value in table.items() if key not in {"queues", "instances"}}
        parameters = self._parameters(where, own, WORKER_PARAMETERS, known)
        queues = self._tables(where, "queues", table.get("queues", {}))
        instances = self._tables(where, "instances", table.get("instances", {}))
        return FleetApp(
            parameters,
            {
                each: self._parameters(f"{where}.queues.{_key(each)}", found, QUEUE_PARAMETERS)
                for each, found in queues.items()
            },
            {
                each: self._parameters(
                    f"{where}.instances.{_key(each)}", found, INSTANCE_PARAMETERS
                )
                for each, found in instances.items()
            },
        )

    def _tables(self, table: str, key: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
        """Return the tables in a table, by their names."""
        if not isinstance(value, dict):
            self._fault(table, key, "must be a table of tables")
            return {}
        where = f"{table}.{key}" if table else key
        found = {}
        for name, each in value.items():
            if not _NAME.match(name):
                self._fault(
                    where,
                    name,
                    "is no name: it must have 1 to 128 letters, digits, '.', '_' and '-', and "
                    "begin with a letter, a digit or '_'",
                )
            elif not isinstance(each, dict):
                self._fault(where, name, "must be a table")
            else:
                found[name] = each
        return found

    def _parameters(
        self,
        table: str,
        given: Mapping[str, Any],
        types: Mapping[str, type],
        known: list[str] | None = None,
    ) -> Parameters:
        found = {}
        for key, value in given.items():
            if key not in types:
                hint = _suggestion(key, known or list(types))
                self._fault(table, key, f"is not known here{hint}")
                continue
            read = self._value(table, key, value, types[key])
            if read is not None:
                found[key] = read
        if not found.get("queues", True):
            del found["queues"]
        if found.get("branch") and found.get("pinned") is False:
            self._fault(table, "pinned", "must not be false beside branch, which keeps it there")
        return found

    def _value(self, table: str, key: str, value: Any, wanted: type) -> Any:
        """Return what a key says, None where that is wrong."""
        match value:
            case _ if key == "options":
                return self._options(table, value)
            case dict() if wanted is dict:
                return self._mapping(table, key, value)
            case dict() if wanted is str and _is_reference(value):
                return self._variable(table, key, value["env"])
            case dict() if key == "broker":
                return self._broker(table, value)
        return self._plain(table, key, value, wanted)

    def _plain(self, table: str, key: str, value: Any, wanted: type) -> Any:
        """Return a value that is no table."""
        is_right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        if is_right and wanted is list:
            is_right = all(isinstance(each, str) for each in value)
        if not is_right:
            self._fault(table, key, f"must be {_WANTED[wanted]}")
            return None
        if isinstance(value, str):
            return self._text(table, key, value)
        return sorted(set(value)) if wanted is list else value

    def _mapping(self, table: str, key: str, value: Mapping[str, Any]) -> Mapping[str, str] | None:
        found = {}
        for name, each in value.items():
            where = f"{key}.{_key(name)}"
            if _is_reference(each):
                text = self._variable(table, where, each["env"])
            elif isinstance(each, str):
                text = self._text(table, where, each)
            else:
                self._fault(table, where, f"must be {_WANTED[str]}")
                text = None
            if text is not None:
                found[name] = text
        return found

    def _broker(self, table: str, value: Mapping[str, Any]) -> str | None:
        """Return the URL of a broker that is given by its parts, as the HTTP API makes it."""
        parts: dict[str, Any] = {}
        for name, each in value.items():
            where = f"broker.{_key(name)}"
            if name not in _BROKER_FIELDS:
                self._fault(table, where, f"is not known{_suggestion(name, _BROKER_FIELDS)}")
            else:
                parts[name] = self._value(table, where, each, int if name == "port" else str)
        if parts.get("hostname") is None:
            self._fault(table, "broker.hostname", "is missing; or give the broker as a URL")
            return None
        from urllib.parse import quote  # noqa: PLC0415 - brokers are URLs as a rule

        def quoted(name: str, default: str) -> str:
            return quote(parts.get(name) or default, safe="")

        host = parts["hostname"]
        host = f"[{host}]" if ":" in host else host
        login = f"{quoted('userid', 'guest')}:{quoted('password', 'guest')}"
        return f"amqp://{login}@{host}:{parts.get('port') or 5672}/{quoted('virtual_host', '/')}"

    def _options(self, table: str, value: Any) -> Mapping[str, Any] | None:
        """Return the options of a queue; JSON in a text can say null, which TOML cannot."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, dict):
            self._fault(table, "options", "must be a table, or a JSON object in quotes")
            return None
        return self._deeply(table, "options", value)  # type: ignore[no-any-return] # a dict again

    def _deeply(self, table: str, key: str, value: Any) -> Any:
        match value:
            case dict():
                return {
                    name: self._deeply(table, f"{key}.{_key(name)}", each)
                    for name, each in value.items()
                }
            case list():
                return [self._deeply(table, key, each) for each in value]
            case str():
                return self._text(table, key, value)
            case None | bool() | int():
                return value
            case float() if value - value == 0:
                return value
        self._fault(table, key, "must be something that JSON can hold")
        return None

    def _text(self, table: str, key: str, value: str) -> str | None:
        """Return a text with the variables in it; None if one is not set."""
        missing = [
            name
            for found in _REFERENCE.finditer(value)
            if (name := found[2] or found[3]) and name not in self._environ
        ]
        for name in dict.fromkeys(missing):
            self._fault(
                table,
                key,
                f"refers to the variable {name}, which is not set (write $$ for a plain $)",
            )
        if missing:
            return None
        return _REFERENCE.sub(
            lambda found: "$" if found[1] else self._environ[found[2] or found[3]], value
        )

    def _variable(self, table: str, key: str, name: str) -> str | None:
        if not _VARIABLE.match(name):
            self._fault(table, key, "must refer to a variable by its name")
            return None
        return self._text(table, key, f"${{{name}}}")

    def _check_unique(self, apps: Mapping[str, FleetApp]) -> None:
        seen: dict[str, str] = {}
        for app, found in apps.items():
            for name in found.instances:
                if seen.setdefault(name, app) != app:
                    self._fault(
                        f"apps.{_key(app)}.instances",
                        name,
                        f"is the name of an instance of {seen[name]!r} too; names of instances "
                        "are unique in a cluster",
                    )

    def _fault(self, table: str, key: str, detail: str) -> None:
        self.faults.append(FleetFault(self._file, table, key, detail))


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"env"} and isinstance(value["env"], str)


def _key(name: str) -> str:
    """Return a key as TOML writes it."""
    from cyme.client.fleet.toml import key_text  # noqa: PLC0415 - for errors and for export

    return key_text(name)


def _suggestion(name: str, known: Any) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - for errors alone

    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are {', '.join(sorted(known))}"
