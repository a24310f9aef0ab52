"""``python -m benchmarks``: asks the questions and shows the answers."""

from __future__ import annotations

import platform
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click
import msgspec
from rich.console import Console

from benchmarks import display
from benchmarks.failure import BenchmarkFailed
from benchmarks.machine import commit, packages, this_machine
from benchmarks.registry import QUESTIONS, Question, chosen
from benchmarks.report import Report, compare, differences, load, save
from benchmarks.run import EMBEDDED, Run

#: Brokers that may be named in one word.
BROKERS = {
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
    "redis": "redis://127.0.0.1:6379/15",
}


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except BenchmarkFailed as exc:
        raise click.ClickException(str(exc)) from exc


@click.group()
def main() -> None:
    """Measure Cyme beside its peers."""


@main.command("list")
def list_questions() -> None:
    """List the questions."""
    display.show_questions(Console(), QUESTIONS)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Short rounds: a trial, not a measurement.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the report there.")
@click.option("--seed", type=int, default=1, show_default=True, help="What makes the chances.")
@click.option(
    "--broker",
    default=EMBEDDED,
    show_default=True,
    help="embedded, rabbitmq, redis (database 15 of this machine), or a URL. Give one that is "
    "used for nothing else: queues of the workers are left on it.",
)
@click.option(
    "--branch-option",
    "branch_options",
    multiple=True,
    help="A further option for the branches, as in --branch-option=--parallel-starts=8; may be "
    "repeated.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 when a bar is missed.")
def run(
    names: tuple[str, ...],
    *,
    quick: bool,
    path: Path | None,
    seed: int,
    broker: str,
    branch_options: tuple[str, ...],
    strict: bool,
) -> None:
    """Answer the questions NAMES, or all of them."""
    console = Console()
    with _failures_told():
        questions = chosen(names)
        report = Report(
            taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
            commit=commit(),
            seed=seed,
            quick=quick,
            broker=broker if broker in {EMBEDDED, *BROKERS} else "by URL",
            branch_options=branch_options,
            python=platform.python_version(),
            packages=packages(),
            machine=this_machine(),
        )
        display.show_circumstances(console, report)
        for question in questions:
            report = _asked(console, question, report, BROKERS.get(broker, broker))
        if path is not None:
            save(report, path)
    if report.failures or (strict and report.missed):
        sys.exit(1)


def _asked(console: Console, question: Question, report: Report, broker: str) -> Report:
    """Return the report with the answer to one more question, or the reason why there is none."""
    try:
        with (
            TemporaryDirectory(prefix=f"cyme-bench-{question.name}-") as directory,
            display.progress(console, question.name) as progress,
        ):
            run = Run(
                quick=report.quick,
                random=Random(report.seed),
                broker=broker,
                branch_options=report.branch_options,
                directory=Path(directory),
                progress=progress,
            )
            answer = question.ask(run)
    except BenchmarkFailed as exc:
        console.print(f"{question.name}: {exc}", style="red", markup=False)
        failures = {**report.failures, question.name: str(exc)}
        return msgspec.structs.replace(report, failures=failures)
    display.show_answer(console, answer, question.text)
    return msgspec.structs.replace(report, answers=(*report.answers, answer))


@main.command("compare")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
def compare_reports(before: Path, after: Path) -> None:
    """Set two reports side by side."""
    with _failures_told():
        one, other = load(before), load(after)
    display.show_changes(Console(), compare(one, other), differences(one, other))


if __name__ == "__main__":
    # What was started is ended then too: the exit unwinds the questions.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    main(prog_name="python -m benchmarks")
