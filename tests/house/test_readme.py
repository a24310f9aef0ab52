"""What the README shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import docutils.core
import pytest

from cyme.cli.root import root
from cyme.settings.table import TABLE
from tests.house.checkout import ROOT
from tests.house.transcripts import Exchange, Stage, exchanges

pytestmark = pytest.mark.timeout(240)  # a busy machine takes its time to start workers

README = (ROOT / "README.rst").read_text()
WALK_THROUGH = README[README.index(".. begin-walk-through") : README.index(".. end-walk-through")]
TERMINAL = README[README.index(".. begin-terminal") : README.index(".. end-terminal")]
FIRST_SIGHT = README[: README.index("What it does")]

PAGES = [ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst"))]
#: What the program says; the options of a worker stand in a table of their own.
MODULES = sorted({*(ROOT / "cyme").rglob("*.py")} - {ROOT / "cyme/core/worker_options.py"})

#: Flags of other programs, and those of cyme-branch that are no settings.
FOREIGN_FLAGS = {
    "--apply-to", "--autoscale", "--branches", "--cacert", "--concurrency", "--config",
    "--executable", "--fast", "--faults", "--heartbeat-interval", "--help", "--hostname",
    "--if-empty", "--if-unused", "--include", "--json", "--keep", "--limit", "--no-deps", "--once",
    "--quick", "--quiet", "--randomly-seed", "--ready-fd", "--role", "--seed", "--shrink",
    "--statedb", "--trace", "--until", "--version", "--without-gossip", "--without-mingle",
}  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.mark.slow
def test_the_first_transcript_runs_as_shown(stage: Stage) -> None:
    shown = list(exchanges(FIRST_SIGHT))
    assert sum(len(_lines(each)) for each in shown) <= 10
    for exchange in shown:
        stage.play(exchange)


@pytest.mark.slow
def test_the_walk_through_runs_as_shown(stage: Stage) -> None:
    shown = list(exchanges(WALK_THROUGH))
    assert len(shown) == 11
    for exchange in shown:
        stage.play(exchange)


@pytest.mark.slow
def test_the_commands_in_a_terminal_run_as_shown(stage: Stage) -> None:
    shown = list(exchanges(TERMINAL))
    assert len(shown) == 5
    for exchange in shown:
        stage.play(exchange)


@pytest.mark.parametrize("name", ["README.rst", "CHANGES.rst"])
def test_a_page_renders_where_only_docutils_is(name: str) -> None:
    docutils.core.publish_string(
        (ROOT / name).read_text(),
        writer="html5",
        settings_overrides={"report_level": 1, "halt_level": 2, "file_insertion_enabled": False},
    )


def test_nothing_names_a_flag_that_there_is_not() -> None:
    known = {row.flag for row in TABLE} | {alias for row in TABLE for alias in row.aliases}
    known |= set(_options_of(root))
    unknown = {
        flag: path.name
        for path in (*PAGES, *MODULES)
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text())
        if flag not in known | FOREIGN_FLAGS
    }
    assert not unknown


def _options_of(command: click.Command) -> Iterator[str]:
    """Yield the options of a command and of all commands below it."""
    yield from (flag for param in command.params for flag in param.opts)
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _options_of(inner)


def _lines(exchange: Exchange) -> list[str]:
    return [line for line in f"{exchange.command}\n{exchange.output}".split("\n") if line.strip()]
