"""The rules for alerts in the documents ask for what branches tell."""

from __future__ import annotations

import re
from textwrap import dedent

from cyme.api.metering.dashboard import TARGET_LABELS
from cyme.api.metering.table import METRICS, Kind
from cyme.core.alerts import AlertKind
from cyme.core.branches import BranchState
from cyme.core.status import InstanceState
from tests.house.checkout import ROOT
from tests.promql import named

DOCUMENT = (ROOT / "docs" / "metrics.rst").read_text()

#: What Prometheus tells of each of its targets.
_OF_TARGETS = {"up"}

_BLOCK = re.compile(r"\.\. code-block:: yaml\n\n((?:    .*\n|\n)+)")
_EXPRESSION = re.compile(r"^ +expr: (?:>\n((?: {10,}.*\n)+)|(.+)\n)", re.MULTILINE)


def expressions() -> list[str]:
    """The queries of the rules, each in one line."""
    (rules,) = [block for block in map(dedent, _BLOCK.findall(DOCUMENT)) if "groups:" in block]
    found = [" ".join((folded or plain).split()) for folded, plain in _EXPRESSION.findall(rules)]
    assert len(found) == rules.count("- alert:")
    return found


def test_the_rules_name_metrics_and_labels_that_there_are() -> None:
    by_sample = {sample: metric for metric in METRICS.values() for sample in metric.samples}
    for query in expressions():
        told = named(query)
        assert told.metrics, query
        for name in told.metrics - _OF_TARGETS:
            metric = by_sample[name]
            assert (name in told.rated) == (metric.kind is not Kind.GAUGE), query
        known = {
            label for name in told.metrics & set(by_sample) for label in by_sample[name].labels
        }
        assert told.labels <= known | TARGET_LABELS, query


def test_the_states_that_rules_choose_are_states() -> None:
    chosen = set(re.findall(r'(?:state|kind)="([^"]*)"', " ".join(expressions())))
    assert chosen
    assert chosen <= {*InstanceState, *BranchState, *AlertKind}
