"""A dashboard for Grafana, made from the table of metrics.

Every query names its metrics through the table, so that none can ask for what is not told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cyme.api.metering.table import METRICS, Kind

#: Grafana's version of the format; it brings older ones up to date by itself.
SCHEMA_VERSION: Final = 39

PANEL_WIDTH: Final = 12
PANEL_HEIGHT: Final = 8
COLUMNS: Final = 24

#: What Prometheus itself says of whom it scraped.
TARGET_LABELS: Final = frozenset({"instance", "job"})

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a panel.

    Attributes:
        expr: The query in PromQL.
        legend: What its lines are called.
    """

    expr: str
    legend: str

    def called(self, legend: str) -> Query:
        """Return the query with its lines called otherwise than by their labels."""
        return replace(self, legend=legend)


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: some queries, drawn over time.

    Attributes:
        title: What it shows.
        unit: Grafana's name of the unit.
        queries: What is drawn.
        stacks: Whether lines are drawn upon each other.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    stacks: bool = False


def _rate(name: str, *by: str, where: str = "") -> Query:
    metric = METRICS[name]
    assert metric.kind is Kind.COUNTER, f"{name} has no rate"
    return _over("sum", f"rate({name}{where}[$__rate_interval])", name, by)


def _total(name: str, *by: str) -> Query:
    assert METRICS[name].kind is Kind.GAUGE, f"{name} is counted"
    return _over("sum", name, name, by)


def _most(name: str, *by: str) -> Query:
    return _over("max", METRICS[name].name, name, by)


def _top(name: str, *by: str) -> Query:
    total = _total(name, *by)
    return replace(total, expr=f"topk(20, {total.expr})")


def _quantile(part: float, name: str, *by: str) -> Query:
    metric = METRICS[name]
    assert metric.kind is Kind.HISTOGRAM, f"{name} is no histogram"
    rates = _over("sum", f"rate({metric.samples[0]}[$__rate_interval])", name, ("le", *by))
    return Query(f"histogram_quantile({part:g}, {rates.expr})", _legend(by))


def _over(how: str, inner: str, name: str, by: Sequence[str]) -> Query:
    metric = METRICS[name]
    buckets = {"le"} if metric.kind is Kind.HISTOGRAM else set()
    unknown = set(by) - set(metric.labels) - TARGET_LABELS - buckets
    assert not unknown, f"{name} has no label {unknown}"
    expr = f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"
    return Query(expr, _legend(by))


def _legend(by: Sequence[str]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by)


PANELS: Final = (
    Panel(
        "Tasks that ended",
        "ops",
        (
            _rate("celery_task_succeeded_total").called("succeeded"),
            _rate("celery_task_failed_total").called("failed"),
            _rate("celery_task_retried_total").called("to be tried again"),
        ),
    ),
    Panel(
        "Failures by task",
        "ops",
        # What is told from 0 on has no exception yet.
        (_rate("celery_task_failed_total", "name", "exception", where='{exception!=""}'),),
        stacks=True,
    ),
    Panel(
        "Runtime of tasks",
        "s",
        (
            _quantile(0.5, "celery_task_runtime", "name").called("{{name}} half of them"),
            _quantile(0.95, "celery_task_runtime", "name").called("{{name}} 95 %"),
        ),
    ),
    Panel("Tasks being worked on", "short", (_total("celery_worker_tasks_active").called("busy"),)),
    Panel(
        "Messages that wait",
        "short",
        (_most("celery_queue_length", "queue_name"),),
        stacks=True,
    ),
    Panel("The oldest message", "s", (_most("cyme_queue_oldest_seconds", "queue_name"),)),
    Panel("Consumers", "short", (_most("celery_active_consumer_count", "queue_name"),)),
    Panel("Instances by state", "short", (_total("cyme_instances", "state"),), stacks=True),
    Panel("Alerts", "short", (_total("cyme_alerts", "kind"),), stacks=True),
    Panel("Workers started again", "ops", (_rate("cyme_restarts_total", "instance"),)),
    Panel(
        "Processors used by workers",
        "none",
        (_top("cyme_instance_cpu_cores", "app", "instance_name").called("{{instance_name}}"),),
    ),
    Panel(
        "Memory of workers",
        "bytes",
        (_top("cyme_instance_memory_bytes", "app", "instance_name").called("{{instance_name}}"),),
    ),
    Panel("Branches", "short", (_most("cyme_cluster_members", "state"),)),
    Panel("Event loops that were late", "s", (_most("cyme_hub_lag_seconds", "instance"),)),
    Panel(
        "Time to answer a request",
        "s",
        (
            _quantile(0.5, "cyme_http_request_seconds").called("half of them"),
            _quantile(0.99, "cyme_http_request_seconds").called("99 %"),
        ),
    ),
    Panel("Requests", "reqps", (_rate("cyme_http_requests_total", "status"),), stacks=True),
    Panel("Memory of branches", "bytes", (_most("cyme_memory_bytes", "instance"),)),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "title": "Cyme",
        "uid": "cyme",
        "tags": ["cyme", "celery"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_data_source()]},
        "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
    }


def _data_source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    columns = COLUMNS // PANEL_WIDTH
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {
            "x": number % columns * PANEL_WIDTH,
            "y": number // columns * PANEL_HEIGHT,
            "w": PANEL_WIDTH,
            "h": PANEL_HEIGHT,
        },
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
            }
            for at, query in enumerate(panel.queries)
        ],
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    drawn = {"mode": "normal"} if panel.stacks else {"mode": "none"}
    return {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10, "stacking": drawn}}
