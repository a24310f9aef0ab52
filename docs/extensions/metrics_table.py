"""The directive ``metrics-table``: the reference of metrics, read from the table itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from cyme.api.metering.table import GROUPS, Metric

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


def metrics_lines() -> Iterator[str]:
    """Yield the reference as reStructuredText."""
    for group, metrics in GROUPS.items():
        yield from ("", f".. rubric:: {group}", "")
        for metric in metrics:
            yield from _entry(metric)


def _entry(metric: Metric) -> Iterator[str]:
    labels = ", ".join(f"``{label}``" for label in metric.labels)
    yield f"``{metric.name}``"
    yield f"    {metric.help}. A {metric.kind}" + (f" by {labels}." if labels else ".")
    yield ""


class MetricsTable(SphinxDirective):
    """Writes the reference of metrics where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the reference."""
        return self.parse_text_to_nodes("\n".join(metrics_lines()))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directive."""
    app.add_directive("metrics-table", MetricsTable)
    return {"version": "1", "parallel_read_safe": True}
