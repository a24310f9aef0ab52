"""Writes families of metrics as text, several times as fast as ``prometheus_client`` does.

That looks at every name and label anew for characters that ours never have, and takes the better
part of a scrape of a thousand instances for it. The text is the same, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import gevent
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from cyme.api.replies import TURN_S

#: Others have their turn after so many samples: whoever sends events has a part in how many
#: there are.
SAMPLES_A_TURN = 500

#: The end of a text of OpenMetrics.
_END = "# EOF\n"


def text_of(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """Return families as text.

    Args:
        families: Of counters, gauges and histograms, whose names need no escaping.
        openmetrics: Whether it is to be OpenMetrics, else Prometheus's own format.
    """
    lines = [line for family in families for line in _lines(family, openmetrics)]
    return "".join([*lines, _END] if openmetrics else lines).encode()


def _lines(family: Family, openmetrics: bool) -> Iterator[str]:
    counts = family.type == "counter" and not openmetrics
    name = f"{family.name}_total" if counts else family.name
    text = family.documentation
    yield f"# HELP {name} {_escaped(text) if openmetrics else _escaped_lines(text)}\n"
    yield f"# TYPE {name} {family.type}\n"
    for sample in _in_turns(family.samples):
        labels = sample.labels
        if labels:
            pairs = [f'{key}="{_escaped(labels[key])}"' for key in sorted(labels)]
            yield f"{sample.name}{{{','.join(pairs)}}} {_figure(sample.value)}\n"
        else:
            yield f"{sample.name} {_figure(sample.value)}\n"


def _in_turns(samples: Sequence[Sample]) -> Iterator[Sample]:
    for count, sample in enumerate(samples, start=1):
        yield sample
        if count % SAMPLES_A_TURN == 0:
            gevent.sleep(TURN_S)


def _figure(value: float) -> str:
    text: str = floatToGoString(value)  # type: ignore[no-untyped-call]
    return text


def _escaped(value: str) -> str:
    if "\\" not in value and "\n" not in value and '"' not in value:
        return value
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _escaped_lines(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
