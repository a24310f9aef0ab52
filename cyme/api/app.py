"""The HTTP API as a WSGI application: routes, guards and errors put together."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from typing import Any

import falcon
import msgspec

from cyme.api.auth import Authenticator, Tokens
from cyme.api.browsers import BrowserGuard
from cyme.api.health import PUBLIC_PATHS
from cyme.api.openapi import Description
from cyme.api.operations import Request
from cyme.api.problems import MEDIA_TYPE, Problem, Refusal, internal_problem, problem_of
from cyme.api.routes import Route, routes
from cyme.errors import CymeError
from cyme.runtime.service import Service

logger = logging.getLogger(__name__)

_INCIDENT_BYTES = 6

_SECURITY_HEADERS = (
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
)


def create_app(
    service: Service,
    *,
    tokens: Tokens,
    open_access: bool,
    allowed_hosts: Iterable[str] = (),
) -> falcon.App[Request, falcon.Response]:
    """Build the HTTP API of a branch.

    Args:
        service: The use cases.
        tokens: Who may call.
        open_access: Whether a caller without a token is taken for a local operator.
        allowed_hosts: Names and addresses that the server goes by beside the loopback ones;
            a wildcard address stands for all addresses.
    """
    guard = _Guard(BrowserGuard(allowed_hosts), Authenticator(tokens, open_access=open_access))
    app = falcon.App(request_type=Request, middleware=[guard])
    app.req_options.strip_url_path_trailing_slash = True
    app.add_error_handler(Exception, _answer_unforeseen)
    app.add_error_handler(falcon.HTTPError, _answer_falcon)
    app.add_error_handler(CymeError, _answer_cyme)
    served = routes(service)
    description = Description(served)
    for route in (*served, Route("/openapi.json", description)):
        for template in route.spellings:
            app.add_route(template, route.resource, suffix=route.suffix)
    return app


class _Guard:
    """What stands before every route and behind every answer."""

    def __init__(self, browsers: BrowserGuard, authenticator: Authenticator) -> None:
        self._browsers = browsers
        self._authenticator = authenticator

    def process_request(self, req: Request, resp: falcon.Response) -> None:
        """Turn away who may not come in, and find out who comes."""
        for name, value in _SECURITY_HEADERS:
            resp.set_header(name, value)
        self._browsers.check(req.env)
        if req.path not in PUBLIC_PATHS:
            req.caller = self._authenticator.caller(req.env)


def _answer_cyme(
    req: falcon.Request, resp: falcon.Response, error: CymeError, params: dict[str, Any]
) -> None:
    problem, headers = problem_of(error)
    _answer(resp, problem, headers)


def _answer_falcon(
    req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: dict[str, Any]
) -> None:
    headers = dict(error.headers or {})
    match error:
        case falcon.HTTPRouteNotFound():
            detail = f"There is nothing at {req.path[:200]!r}. GET /openapi.json lists the paths."
        case falcon.HTTPMethodNotAllowed():
            detail = f"{req.method} is not possible here; these are: {headers.get('Allow')}."
        case falcon.HTTPBadRequest(description="Invalid HTTP method"):
            error.status = falcon.HTTP_501
            detail = f"{req.method[:40]!r} is no verb that is known here."
        case _:
            detail = error.description or error.title or "The request cannot be served."
    problem, headers = problem_of(Refusal(error.status_code, detail, headers))
    _answer(resp, problem, headers)


def _answer_unforeseen(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> None:
    incident = secrets.token_hex(_INCIDENT_BYTES)
    logger.error("Error %s in %s %s", incident, req.method, req.uri_template, exc_info=error)
    _answer(resp, internal_problem(incident), {})


def _answer(resp: falcon.Response, problem: Problem, headers: dict[str, str]) -> None:
    resp.status = problem.status
    resp.content_type = MEDIA_TYPE
    resp.data = msgspec.json.encode(problem)
    for name, value in headers.items():
        resp.set_header(name, value)
