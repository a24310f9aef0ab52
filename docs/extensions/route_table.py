"""The directives ``route-table`` and ``parameter-table``: read from the code that serves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast, get_args, get_type_hints

import msgspec
from sphinx.util.docutils import SphinxDirective
from wording import marked_up

from cyme.api import inputs
from cyme.api.operations import Operation
from cyme.api.routes import Route, routes
from cyme.api.streaming.broadcaster import Broadcaster
from cyme.runtime.service import Service

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

    from cyme.api.streaming.broadcaster import Broadcaster

#: Verbs that need no line of their own: HEAD is GET without the body.
_IMPLIED = {"head"}
_NAME = re.compile(r"{(\w+)(?::\w+)?}")


def route_lines() -> Iterator[str]:
    """Yield the routes as a table in reStructuredText."""
    yield from _header("Request", "What it does", "Role", widths="50 35 15")
    # Nothing is asked of the service while routes are only listed.
    for route in routes(cast("Service", None), cast("Broadcaster", None)):
        for operation, verbs in _by_operation(route):
            role = operation.role.label if operation.role else "anybody"
            summary = operation.summary + (" (may be ``!``)" if operation.may_be_async else "")
            yield from _row(f"``{'|'.join(verbs)} {_path(route.template)}``", summary, role)


def parameter_lines(type_name: str) -> Iterator[str]:
    """Yield the parameters of one type of ``cyme.api.inputs`` as a table."""
    struct = getattr(inputs, type_name)
    hints = get_type_hints(struct, include_extras=True)
    yield from _header("Parameter", "What it must be", widths="25 75")
    for field in msgspec.structs.fields(struct):
        yield from _row(f"``{field.encode_name}``", marked_up(_described(hints[field.name]) or ""))


def _by_operation(route: Route) -> Iterable[tuple[Operation, list[str]]]:
    """Return the operations of a route with their verbs, those that do the same together."""
    found: dict[str, tuple[Operation, list[str]]] = {}
    for verb, operation in route.operations().items():
        if verb in _IMPLIED and len(route.operations()) > 1:
            continue
        found.setdefault(operation.summary, (operation, []))[1].append(verb.upper())
    return found.values()


def _path(template: str) -> str:
    path = _NAME.sub(r"<\1>", template)
    return path if path.endswith(("/", "<url>")) else path + "/"


def _described(hint: Any) -> str | None:
    """Return the description in an annotation, however deep it stands."""
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return meta.description
    inner = [hint.__origin__] if hasattr(hint, "__metadata__") else get_args(hint)
    return next((text for each in inner if (text := _described(each))), None)


def _header(*titles: str, widths: str) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    yield from _row(*titles)


def _row(first: str, *others: str) -> Iterator[str]:
    yield f"   * - {first}"
    yield from (f"     - {other}" for other in others)


class RouteTable(SphinxDirective):
    """Writes the table of routes where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes("\n".join(route_lines()))


class ParameterTable(SphinxDirective):
    """Writes the parameters of the type that it names where it stands."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes("\n".join(parameter_lines(self.arguments[0])))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("route-table", RouteTable)
    app.add_directive("parameter-table", ParameterTable)
    return {"version": "1", "parallel_read_safe": True}
