"""Routes of metrics: what Prometheus scrapes, and a dashboard for Grafana that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import falcon
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, choose_encoder

from cyme.api.metering.collector import BranchCollector, Sources
from cyme.api.metering.dashboard import dashboard
from cyme.api.metering.exposition import text_of
from cyme.api.operations import Request, operation
from cyme.api.replies import answer

#: How the type of OpenMetrics begins.
OPENMETRICS = "application/openmetrics-text"


class Metrics:
    """What a branch tells Prometheus.

    Args:
        sources: Where it comes from.
    """

    def __init__(self, sources: Sources) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(BranchCollector(sources))
        ProcessCollector(registry=self._registry)

    @operation("Show the metrics of a branch", gives=str, media_type=CONTENT_TYPE_LATEST)
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Answer in Prometheus's text format, or as OpenMetrics where that is asked for."""
        _, resp.content_type = choose_encoder(req.get_header("Accept") or "")
        openmetrics = resp.content_type.startswith(OPENMETRICS)
        resp.data = text_of(self._registry.collect(), openmetrics=openmetrics)

    @operation("Make a dashboard for Grafana", gives=Mapping[str, Any])
    def on_get_dashboard(self, req: Request, resp: falcon.Response) -> None:
        """Answer with a dashboard of these metrics, to be imported as it is."""
        answer(resp, dashboard())

    on_head = on_get
    on_head_dashboard = on_get_dashboard
