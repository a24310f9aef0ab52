"""The kinds of events in the documents are those that the code tells."""

from __future__ import annotations

import re
from pathlib import Path

from cyme.core.alerts import AlertState
from cyme.core.task_events import TaskDeed
from tests.house.checkout import ROOT

DOCUMENT = ROOT / "docs" / "http-api.rst"

_TOLD = re.compile(
    r"(?:record|_tell\w*|tell_session|Tell|Note|_journal\.record)\(\s*"
    r'"(?P<kind>[a-z]+\.[a-z-]+)"'
)
_CHOSEN = re.compile(
    r'(?:kind = |kind, reason = |else |InstanceState\.\w+, )"(?P<kind>[a-z]+\.[a-z-]+)"'
)

#: Kinds that are put together: of what a branch sees, of hand-overs, of states that nothing else
#: tells, of alerts and of tasks.
_MADE = {
    *(f"branch.{word}" for word in ("joined", "returned", "suspect", "failed", "leaving", "left")),
    *(f"instance.{word}" for word in ("moved", "not-moved", "taken-back", "not-taken-back")),
    *(f"instance.{word}" for word in ("pending", "unknown")),
    *(f"alert.{state}" for state in AlertState),
    *(f"task.{deed}" for deed in TaskDeed),
}


def test_every_kind_that_is_told_is_in_the_document_and_no_other() -> None:
    sources = [path.read_text() for path in (ROOT / "cyme").rglob("*.py")]
    found = {match["kind"] for text in sources for match in _TOLD.finditer(text)}
    found |= {match["kind"] for text in sources for match in _CHOSEN.finditer(text)}
    told = {kind for kind in found if kind.partition(".")[0] in _subjects(found | _MADE)} | _MADE
    assert documented(DOCUMENT) == told


def documented(document: Path) -> set[str]:
    table = document.read_text().partition("kind                             what happened")[2]
    rows = table.partition("\nErrors\n")[0].splitlines()
    return {row.split("``")[1] for row in rows if row.startswith("``")}


def _subjects(kinds: set[str]) -> set[str]:
    return {kind.partition(".")[0] for kind in kinds} & {
        *("instance", "app", "queue", "branch", "cluster", "broker", "token", "session"),
        *("alert", "task"),
    }
