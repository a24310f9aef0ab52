"""Counts requests and how long they took, by route: never by path, which callers choose."""

from __future__ import annotations

import time
from collections import Counter

import falcon

from cyme.api.metering.table import OTHER
from cyme.api.operations import Request
from cyme.core.histogram import Histogram

#: Upper ends of the durations of requests that are counted together, in seconds.
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

#: The route of what leads nowhere, or was turned away before it was looked at.
NO_ROUTE = "none"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Meter:
    """Middleware that counts.

    Attributes:
        requests: How many were answered, by route, method and status.
        durations: How long it took until the answer began, by route.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.durations: dict[str, Histogram] = {}

    def process_request(self, req: Request, resp: falcon.Response) -> None:
        """Take note of when a request came."""
        req.came_at = time.perf_counter()

    def process_response(
        self, req: Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Count a request."""
        route = req.uri_template or NO_ROUTE
        method = req.method if req.method in _METHODS else OTHER
        self.requests[route, method, resp.status_code] += 1
        durations = self.durations.get(route)
        if durations is None:
            durations = self.durations[route] = Histogram(BOUNDS_S)
        durations.observe(time.perf_counter() - req.came_at)
