"""What the harness shows: tables, and on a terminal a progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import floor, log10

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from benchmarks.measures import Bar
from benchmarks.registry import Question
from benchmarks.report import Answer, Change, Report
from benchmarks.run import Progress

_VERDICT_STYLES = {"better": "green", "worse": "red", "same": "dim", "": ""}


class _Shown:
    """Progress as a bar; quiet where its display is disabled."""

    def __init__(self, progress: RichProgress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task = progress.add_task(name, total=None)
        self._begun = False

    def expect(self, steps: int) -> None:
        self._progress.update(self._task, total=steps)

    def step(self, text: str) -> None:
        self._progress.update(
            self._task, advance=1 if self._begun else 0, description=f"{self._name}: {text}"
        )
        self._begun = True


@contextmanager
def progress(console: Console, name: str) -> Iterator[Progress]:
    """Show a question's progress on a terminal, and nothing elsewhere."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    quiet = not console.is_terminal
    with RichProgress(*columns, console=console, transient=True, disable=quiet) as shown:
        yield _Shown(shown, name)


def figure(value: float, unit: str = "") -> str:
    """Return a figure with three digits that count, and its unit."""
    decimals = max(0, 2 - floor(log10(abs(value)))) if value else 0
    return f"{value:,.{decimals}f}{' ' + unit if unit else ''}"


def show_questions(console: Console, questions: Sequence[Question]) -> None:
    """List the questions."""
    for question in questions:
        console.print(f"{question.name:<10} {question.text}", soft_wrap=True, markup=False)


def show_answer(console: Console, answer: Answer, text: str) -> None:
    """Show what one question brought."""
    table = Table(title=text, title_justify="left", title_style="bold", caption_justify="left")
    table.add_column(answer.question)
    for heading in ("n", "min", "median", "p99", "max"):
        table.add_column(heading, justify="right")
    for series in answer.series:
        figures = series.summary
        table.add_row(
            escape(series.name),
            str(figures.count),
            figure(figures.least),
            figure(figures.median, series.unit),
            figure(figures.p99),
            figure(figures.greatest),
        )
    for ratio in answer.ratios:
        figures = ratio.summary
        table.add_row(
            escape(ratio.name),
            str(figures.count),
            figure(figures.least),
            f"[bold]{figure(figures.median)} x[/bold]",
            figure(figures.p99),
            figure(figures.greatest),
        )
    console.print(table)
    for bar in answer.bars:
        console.print(_bar_line(bar))
    for note in answer.notes:
        console.print(f"  {escape(note)}", style="dim")


def _bar_line(bar: Bar) -> str:
    verdict = "[green]holds[/green]" if bar.holds else "[red]missed[/red]"
    bound = "at most" if bar.at_most else "at least"
    return (
        f"  {verdict}: {escape(bar.name)} {figure(bar.value, bar.unit)}, "
        f"{bound} {figure(bar.limit, bar.unit)}"
    )


def show_circumstances(console: Console, report: Report) -> None:
    """Show where and with what the answers were found."""
    machine = report.machine
    console.print(
        f"{machine.processors} x {machine.processor}, {machine.memory_mb:,} MB, "
        f"{machine.system}, load {machine.load}; Python {report.python}; "
        f"commit {report.commit or 'unknown'}; seed {report.seed}; broker {report.broker}"
        f"{' '.join(('', *report.branch_options))}"
        f"{'; quick' if report.quick else ''}",
        style="dim",
        markup=False,
    )
    versions = ", ".join(f"{name} {version}" for name, version in report.packages.items())
    console.print(versions, style="dim", markup=False)


def show_changes(console: Console, changes: Sequence[Change], warnings: Sequence[str]) -> None:
    """Show two reports side by side."""
    for warning in warnings:
        console.print(f"Beware: {warning}", style="yellow", markup=False)
    table = Table()
    for heading in ("question", "figure"):
        table.add_column(heading)
    for heading in ("before", "after", "after / before"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for change in changes:
        table.add_row(
            change.question,
            escape(change.name),
            figure(change.before, change.unit),
            figure(change.after, change.unit),
            "" if change.factor is None else figure(change.factor),
            change.verdict,
            style=_VERDICT_STYLES[change.verdict],
        )
    console.print(table)
