"""What a route does, said once: who may call it, what it takes, what it gives.

``@operation`` stands over every responder. It checks the caller's role and the parameters
before the responder runs, and ``cyme.api.openapi`` reads the same words to describe the API.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import falcon
import msgspec

from cyme.api.conditions import prefers_async
from cyme.api.inputs import Nothing
from cyme.api.parameters import (
    BODY_BYTES_MAX,
    PUBLIC_BODY_BYTES_MAX,
    Parameters,
    given_parameters,
)
from cyme.core.access import Caller, Role, require
from cyme.errors import NotSupported

#: The path segment that makes a write asynchronous.
ASYNC_SEGMENT = "!"

#: Writes and calls of workers are given up after so long, in seconds.
CALL_TIMEOUT_S = 15.0

#: Headers of conditional writes.
CONDITIONS = {
    "If-Match": "Writes only if the ETag is still this one.",
    "If-None-Match": "With *, writes only what does not exist yet.",
}

Responder = Callable[..., None]


class Request(falcon.Request):
    """A request, with what was found out about it before its responder runs.

    Attributes:
        caller: Who makes it; not set on public routes.
        authenticate: Finds out anew who makes it, and raises if it would be turned away by now;
            not set on public routes.
        given: Its parameters by name, checked.
        is_writing: Whether its operation changes something.
        is_async: Whether the answer is wished before the work is done.
        caller_of: Finds the caller of a request with such an environment, or raises; unlike
            ``authenticate`` it does not keep the request.
        came_at: When it came, by ``time.perf_counter``.
    """

    came_at: float

    caller: Caller
    caller_of: Callable[[Mapping[str, Any]], Caller]
    authenticate: Callable[[], Caller]
    given: Mapping[str, Any]
    is_writing: bool
    is_async: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A verb on a route.

    Attributes:
        summary: What it does, as an order: 'List the apps'.
        role: The least role that may do it; None is everybody, without a token.
        takes: Its parameters; None where the request's query and body are not parameters.
        gives: The type of its answer.
        statuses: The statuses of success; 202 among them if it may be asynchronous.
        writes: Whether it changes something.
        may_be_async: Whether ``!`` and ``Prefer: respond-async`` apply.
        headers: Request headers that it reads, each with what it means.
        media_type: The type of its answer's body.
        also: Further types that the body may have, and what it then is.
    """

    summary: str
    role: Role | None
    takes: Parameters | None
    gives: Any
    statuses: tuple[int, ...]
    writes: bool
    may_be_async: bool
    headers: Mapping[str, str]
    media_type: str = falcon.MEDIA_JSON
    also: Mapping[str, Any] = field(default_factory=dict)


def operation(
    summary: str,
    *,
    gives: Any,
    role: Role | None = Role.VIEWER,
    takes: type[msgspec.Struct] | None = Nothing,
    statuses: tuple[int, ...] = (200,),
    may_be_async: bool = False,
    headers: Mapping[str, str] | None = None,
    media_type: str = falcon.MEDIA_JSON,
    also: Mapping[str, Any] | None = None,
) -> Callable[[Responder], Responder]:
    """Make a method the responder of an operation; see ``Operation`` for the arguments.

    ``statuses`` are those of an answer that waits for the work.

    The method is called with the request, the response and the names in the path, once the
    caller may do it and the parameters are good.
    """
    described = Operation(
        summary=summary,
        role=role,
        takes=Parameters(takes) if takes else None,
        gives=gives,
        statuses=(*statuses, 202) if may_be_async else statuses,
        writes=role is not None and role > Role.VIEWER,
        may_be_async=may_be_async,
        headers=headers or {},
        media_type=media_type,
        also=also or {},
    )
    deed = summary[0].lower() + summary[1:]
    parameters = described.takes
    body_bytes_max = PUBLIC_BODY_BYTES_MAX if role is None else BODY_BYTES_MAX

    def decorate(responder: Responder) -> Responder:
        @functools.wraps(responder)
        def respond(self: object, req: Request, resp: falcon.Response, **names: str) -> None:
            if role is not None and req.caller.role < role:
                require(req.caller, role, deed)
            _settle_async(req, described)
            if parameters is not None:
                req.given = _given(req, parameters, body_bytes_max)
            responder(self, req, resp, **names)

        respond.operation = described  # type: ignore[attr-defined] # read by operation_of
        return respond

    return decorate


def operation_of(responder: object) -> Operation | None:
    """Return what ``@operation`` said of a responder, None if it did not stand over it."""
    described = getattr(responder, "operation", None)
    return described if isinstance(described, Operation) else None


def _given(req: Request, parameters: Parameters, body_bytes_max: int) -> Mapping[str, Any]:
    env = req.env
    if (
        not env["QUERY_STRING"]
        and "CONTENT_LENGTH" not in env
        and "HTTP_TRANSFER_ENCODING" not in env
        and not parameters.has_required
    ):
        return {}
    return parameters.accept(given_parameters(req, body_bytes_max))


def _settle_async(req: Request, described: Operation) -> None:
    template = req.uri_template or ""
    asked_by_path = ASYNC_SEGMENT in template
    if asked_by_path and not described.may_be_async:
        raise NotSupported(
            f"'{ASYNC_SEGMENT}' makes a write asynchronous; this request has nothing to wait "
            "for. Leave it out of the URL."
        )
    req.is_writing = described.writes
    req.is_async = described.may_be_async and (asked_by_path or prefers_async(req))
