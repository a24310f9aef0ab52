"""What a cluster runs, as a fleet file that changes nothing where it is applied.

No secret stands in it: passwords and variables whose names tell of a secret become references to
variables of the environment, whose values are handed over beside the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from cyme.client.client import Client
from cyme.client.errors import NotFound
from cyme.client.fleet.model import Fleet, FleetApp, Parameters
from cyme.client.fleet.observing import observe
from cyme.client.fleet.secrets import (
    MASK,
    is_secret_name,
    masked_url,
    password_in,
    with_password,
)
from cyme.client.fleet.toml import document

_URL_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"']+")


@dataclass(frozen=True, slots=True)
class Exported:
    """A fleet file and what it refers to.

    Attributes:
        text: The file.
        variables: The variables that it refers to, with their values, which are secret. None
            stands for one that the branch does not tell.
    """

    text: str
    variables: Mapping[str, str | None] = field(repr=False)


def export(client: Client, apps: Collection[str] | None = None) -> Exported:
    """Return a fleet file of what a cluster runs.

    Args:
        client: The cluster; a viewer's client is told no secrets.
        apps: Only these apps; all of them if None.

    Raises:
        NotFound: There is no such app.
        ClientError: The cluster cannot be asked.
    """
    fleet = observe(client)
    for name in apps or ():
        if name not in fleet.apps:
            raise NotFound(f"There is no app named {name!r}.")
    if apps is not None:
        fleet = Fleet({name: fleet.apps[name] for name in sorted(set(apps))})
    return written(fleet)


def written(fleet: Fleet) -> Exported:
    """Return the file of a fleet."""
    writer = _Writer()
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for name, app in sorted(fleet.apps.items()):
        tables.update(_tables(writer, name, app))
    return Exported(document(tables), writer.variables)


def _tables(
    writer: _Writer, name: str, app: FleetApp
) -> Mapping[tuple[str, ...], Mapping[str, Any]]:
    tables: dict[tuple[str, ...], Mapping[str, Any]] = {}
    tables["apps", name] = writer.parameters(app.parameters, name)
    for queue, parameters in sorted(app.queues.items()):
        tables["apps", name, "queues", queue] = writer.parameters(parameters, name, queue)
    for instance, parameters in sorted(app.instances.items()):
        tables["apps", name, "instances", instance] = writer.parameters(parameters, name, instance)
    return tables


class _Writer:
    """Puts references in the place of secrets.

    Attributes:
        variables: The variables so far, with their values.
    """

    def __init__(self) -> None:
        self.variables: dict[str, str | None] = {}

    def parameters(self, parameters: Parameters, *path: str) -> Mapping[str, Any]:
        """Return parameters as the file says them.

        Args:
            parameters: What they are.
            path: The names of the app and of what in it has them.
        """
        return {key: self._value(key, value, path) for key, value in parameters.items()}

    def _value(self, key: str, value: Any, path: tuple[str, ...]) -> Any:
        if key == "env":
            return {name: self._variable_of(name, value[name], path) for name in sorted(value)}
        if key == "options":
            options = _escaped(value)
            # Only JSON can say null.
            return json.dumps(options) if _has_null(options) else options
        if isinstance(value, str):
            return self._text(value, (*path, key))
        return _escaped(value)

    def _variable_of(self, name: str, value: str, path: tuple[str, ...]) -> str:
        if value == MASK or is_secret_name(name):
            known = None if value == MASK else value
            return f"${{{self._refer((*path, name), known)}}}"
        return self._text(value, (*path, name))

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        """Return a text with the passwords in its URLs as references."""
        found = []
        end = 0
        for word in _URL_WORD.finditer(text):
            found += [_escaped(text[end : word.start()]), self._url(word[0], path)]
            end = word.end()
        return "".join([*found, _escaped(text[end:])])

    def _url(self, url: str, path: tuple[str, ...]) -> str:
        password = password_in(url)
        masked = masked_url(url)
        if MASK not in masked:
            return str(_escaped(url))
        if not password or MASK in masked.partition("?")[2]:
            # A secret that is no password: all of the URL is one.
            known = None if url == masked else url
            return f"${{{self._refer((*path, 'url'), known)}}}"
        known = None if password == MASK else quote(password, safe="")
        name = self._refer((*path, "password"), known)
        return with_password(str(_escaped(masked)), f"${{{name}}}")

    def _refer(self, path: tuple[str, ...], value: str | None) -> str:
        """Return the name of a variable of this value."""
        name = re.sub(r"[^A-Z0-9]+", "_", "_".join(path).upper()).strip("_")
        name = name if not name[:1].isdigit() else f"_{name}"
        unique, number = name, 1
        while unique in self.variables and self.variables[unique] != value:
            number += 1
            unique = f"{name}_{number}"
        self.variables[unique] = value
        return unique


def _escaped(value: Any) -> Any:
    """Return a value in which ``$`` means itself."""
    match value:
        case str():
            return value.replace("$", "$$")
        case Mapping():
            return {name: _escaped(each) for name, each in value.items()}
        case list() | tuple():
            return [_escaped(each) for each in value]
    return value


def _has_null(value: Any) -> bool:
    match value:
        case None:
            return True
        case Mapping():
            return any(_has_null(each) for each in value.values())
        case list():
            return any(_has_null(each) for each in value)
    return False
