"""The description of the API (OpenAPI 3.1), from the routes and types that serve it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import falcon
import msgspec

import cyme
from cyme.api.operations import Operation, Request, operation
from cyme.api.problems import MEDIA_TYPE as PROBLEM_TYPE
from cyme.api.problems import Problem
from cyme.api.replies import answer

_REF = "#/components/schemas/{name}"
_NAME_IN_PATH = re.compile(r"{(\w+)(?::\w+)?}")
_FORM = "application/x-www-form-urlencoded"

#: OpenAPI has no place for it: its verbs are those of RFC 7231 without CONNECT.
_VERBS_NOT_DESCRIBED = frozenset({"connect", "head"})

_STATUSES = {
    200: "It is so.",
    201: "It was created.",
    202: "It will be done.",
    304: "It is what the client has already.",
}


class _Served(Protocol):
    """What is described: a route."""

    @property
    def template(self) -> str:
        """The path, names in braces."""

    @property
    def async_template(self) -> str | None:
        """The path with ``!``."""

    def operations(self) -> Mapping[str, Operation]:
        """Return what there is to do, by verb."""


class Description:
    """Serves the description; it is made at the first request for it, and once.

    Args:
        served: The routes.
    """

    def __init__(self, served: Sequence[_Served]) -> None:
        self._served = served
        self._document: dict[str, Any] | None = None

    @operation("Describe the API", gives=dict[str, Any])
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Answer with the description."""
        if self._document is None:
            self._document = describe(self._served)
        answer(resp, self._document)

    on_head = on_get


def describe(served: Sequence[_Served]) -> dict[str, Any]:
    """Return the OpenAPI document of the routes."""
    schemas = _Schemas(served)
    paths: dict[str, Any] = {}
    for route in served:
        operations = route.operations()
        paths[_path(route.template)] = {
            verb: _operation(schemas, route.template, verb, described)
            for verb, described in operations.items()
            if verb not in _VERBS_NOT_DESCRIBED
        }
        if route.async_template:
            paths[_path(route.async_template)] = {
                verb: _operation(schemas, route.async_template, verb, described)
                for verb, described in operations.items()
                if described.may_be_async
            }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cyme",
            "version": cyme.__version__,
            "description": "Manages clusters of Celery worker instances.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "security": [{"bearer": []}, {"basic": []}, {}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": _query_parameters(schemas, served),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "The token as the password; the user is ignored.",
                },
            },
        },
    }


class _Schemas:
    """JSON schemas of everything that requests take and answers give."""

    def __init__(self, served: Sequence[_Served]) -> None:
        operations = [each for route in served for each in route.operations().values()]
        taken = [each.takes.type for each in operations if each.takes]
        given = [type_ for each in operations for type_ in (each.gives, *each.also.values())]
        types = list({repr(each): each for each in [*taken, *given, Problem]}.values())
        found, self.components = msgspec.json.schema_components(types, ref_template=_REF)
        self._by_type = {repr(each): schema for each, schema in zip(types, found, strict=True)}

    def of(self, each: Any) -> dict[str, Any]:
        """Return the schema of a type."""
        return self._by_type[repr(each)]

    def fields_of(self, each: type[msgspec.Struct]) -> dict[str, Any]:
        """Return the schemas of a type's fields."""
        properties: dict[str, Any] = self.components[each.__name__]["properties"]
        return properties


def _operation(schemas: _Schemas, template: str, verb: str, described: Operation) -> dict[str, Any]:
    slug = re.sub(r"\W+", "_", template).strip("_") or "root"
    entry: dict[str, Any] = {
        "summary": described.summary,
        "operationId": f"{verb}_{'async_' if '!' in template else ''}{slug}",
        "parameters": _parameters(template, described),
        "responses": _responses(schemas, described),
        "x-cyme-role": described.role.label if described.role else "anybody",
    }
    if described.role is None:
        entry["security"] = []
    if described.writes:
        body = _body(schemas, described)
        if body:
            entry["requestBody"] = body
    return entry


def _parameters(template: str, described: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _NAME_IN_PATH.findall(template)
    ]
    found += [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in described.headers.items()
    ]
    if described.takes is not None:
        kind = described.takes.type.__name__
        found += [
            {"$ref": f"#/components/parameters/{kind}.{name}"} for name in described.takes.rules
        ]
    return found


def _query_parameters(schemas: _Schemas, served: Sequence[_Served]) -> dict[str, Any]:
    """Return the parameters in queries, under the names of their types and their own."""
    found: dict[str, Any] = {}
    for described in (each for route in served for each in route.operations().values()):
        if described.takes is None:
            continue
        kind = described.takes.type
        for name, schema in schemas.fields_of(kind).items():
            rule = described.takes.rules[name]
            entry: dict[str, Any] = {"name": name, "in": "query"}
            if rule.is_map:
                entry["content"] = {falcon.MEDIA_JSON: {"schema": schema}}
            else:
                entry["schema"] = schema
            if rule.is_list:
                entry |= {"style": "form", "explode": False}
            found[f"{kind.__name__}.{name}"] = entry
    return found


def _body(schemas: _Schemas, described: Operation) -> dict[str, Any] | None:
    if described.takes is None:
        return {"description": "Sent on as it is.", "content": {"*/*": {"schema": {}}}}
    if not described.takes.rules:
        return None
    schema = schemas.of(described.takes.type)
    return {"content": {falcon.MEDIA_JSON: {"schema": schema}, _FORM: {"schema": schema}}}


def _responses(schemas: _Schemas, described: Operation) -> dict[str, Any]:
    content = {
        media_type: {"schema": schemas.of(given)}
        for media_type, given in ((described.media_type, described.gives), *described.also.items())
    }
    responses: dict[str, Any] = {}
    for status in sorted(described.statuses):
        responses[str(status)] = {"description": _STATUSES[status]}
        if status == 202 and described.may_be_async:  # noqa: PLR2004 - Accepted
            continue
        if status != 304:  # noqa: PLR2004 - Not Modified has no body
            responses[str(status)]["content"] = content
    responses["default"] = {
        "description": "An error, as RFC 9457 writes it.",
        "content": {PROBLEM_TYPE: {"schema": schemas.of(Problem)}},
    }
    return responses


def _path(template: str) -> str:
    """Return a path as OpenAPI writes it, with the trailing slash of the reference."""
    path = _NAME_IN_PATH.sub(r"{\1}", template)
    return path if path.endswith(("/", ".json", "{url}")) else path + "/"
