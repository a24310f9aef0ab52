"""The HTTP API as a WSGI application: routes, guards and errors put together."""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import falcon
import msgspec

from cyme.api.admin import ROOT, Page, PageSession, is_page, is_visit
from cyme.api.auth import Authenticator
from cyme.api.browsers import BrowserGuard, is_browser
from cyme.api.health import PUBLIC_PATHS
from cyme.api.metering.collector import Sources
from cyme.api.metering.meter import Meter
from cyme.api.metrics import Metrics
from cyme.api.openapi import Description
from cyme.api.operations import Request
from cyme.api.problems import (
    CHALLENGE_OF_BROWSERS,
    MEDIA_TYPE,
    Problem,
    Refusal,
    internal_problem,
    problem_of,
)
from cyme.api.routes import Route, routes
from cyme.api.sessions import Sessions, Tokens
from cyme.api.streaming.broadcaster import Broadcaster
from cyme.errors import CymeError
from cyme.runtime.service import Service
from cyme.runtime.telemetry.measures import BranchMeasures

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
    streams: Broadcaster | None = None,
    measures: Callable[[], BranchMeasures] = BranchMeasures,
) -> falcon.App[Request, falcon.Response]:
    """Build the HTTP API of a branch.

    Args:
        service: The use cases.
        tokens: Who may call.
        open_access: Whether a caller without a token is taken for a local operator.
        allowed_hosts: Names and addresses that the server goes by beside the loopback ones;
            a wildcard address stands for all addresses.
        streams: Sends events to those who follow them; whoever gives it ends it.
        measures: Tells what the parts of the branch count.
    """
    sessions = Sessions(tokens, service.branch_id)
    authenticator = Authenticator(tokens, open_access=open_access, sessions=sessions)
    guard = _Guard(BrowserGuard(allowed_hosts), authenticator)
    meter = Meter()
    app = falcon.App(request_type=Request, middleware=(meter, guard))
    app.req_options.strip_url_path_trailing_slash = True
    app.add_error_handler(Exception, _answer_unforeseen)
    app.add_error_handler(falcon.HTTPError, _answer_falcon)
    app.add_error_handler(CymeError, _answer_cyme)
    logins = PageSession(service, tokens=tokens, sessions=sessions, authenticator=authenticator)
    if streams is None:
        streams = Broadcaster(service)
    metrics = Metrics(
        Sources(
            service=service,
            meter=meter,
            measures=measures,
            streams=lambda: streams.listeners,
            token_failures=lambda: authenticator.failures,
        )
    )
    served = [
        *routes(service, streams),
        Route("/metrics", metrics),
        Route("/metrics/dashboard", metrics, "dashboard"),
        Route(f"{ROOT}/session", logins),
    ]
    page = Page()
    undescribed = [
        Route("/openapi.json", Description(served)),
        Route(ROOT, page),
        Route(f"{ROOT}/static/{{path:path}}", page, "static"),
        Route(f"{ROOT}/{{screen:path}}", page),
    ]
    for route in (*served, *undescribed):
        for template in route.spellings:
            app.add_route(template, route.resource_at(template), suffix=route.suffix)
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
        if is_visit(req.env):
            self._browsers.check_host(req.env)
            return
        self._browsers.check(req.env)
        if req.path not in PUBLIC_PATHS and not is_page(req.path):
            req.caller_of = self._authenticator.caller
            req.authenticate = functools.partial(self._authenticator.caller, req.env)
            req.caller = req.authenticate()


def _answer_cyme(
    req: falcon.Request, resp: falcon.Response, error: CymeError, params: dict[str, Any]
) -> None:
    problem, headers = problem_of(error)
    if "WWW-Authenticate" in headers and is_browser(req.env):
        headers["WWW-Authenticate"] = CHALLENGE_OF_BROWSERS
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
