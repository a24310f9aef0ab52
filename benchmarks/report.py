"""Reports: answers with all that is needed to read them later, as one JSON file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Ratio, Series, are_apart

FORMAT = 1


class Answer(msgspec.Struct, frozen=True):
    """The answer to one question.

    Attributes:
        question: The question's name.
        series: What was measured.
        ratios: Cyme against its peers.
        bars: What Cyme is held to.
        notes: How it was measured, as far as the figures need it.
    """

    question: str
    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...] = ()
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()


class Machine(msgspec.Struct, frozen=True):
    """Where a report was made.

    Attributes:
        system: The operating system and its release.
        processor: The processor's name.
        processors: How many of them this process may use.
        memory_mb: Installed memory.
        load: Average load over the last minute when the report was begun.
    """

    system: str
    processor: str
    processors: int
    memory_mb: int
    load: float


class Report(msgspec.Struct, frozen=True):
    """The answers of one run.

    Attributes:
        format: The version of this form.
        taken_at: When the run began, ISO 8601, UTC.
        commit: The checkout's commit, with ``+`` where files differed; empty if unknown.
        seed: What made the chances of the run.
        quick: Whether the rounds were short: then it is a trial and not a measurement.
        broker: The broker that was asked for.
        branch_options: Further options that the branches were given.
        python: The interpreter's version.
        packages: Versions of the packages that matter.
        machine: Where it ran.
        answers: What came out.
        failures: Questions that could not be answered, with the reason.
    """

    taken_at: str
    commit: str
    seed: int
    quick: bool
    broker: str
    branch_options: tuple[str, ...]
    python: str
    packages: dict[str, str]
    machine: Machine
    answers: tuple[Answer, ...] = ()
    failures: dict[str, str] = {}
    format: int = FORMAT

    @property
    def missed(self) -> list[Bar]:
        """The bars that do not hold."""
        return [bar for answer in self.answers for bar in answer.bars if not bar.holds]


def save(report: Report, path: Path) -> None:
    """Write the report as JSON.

    Raises:
        BenchmarkFailed: The file cannot be written.
    """
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    except OSError as exc:
        raise BenchmarkFailed(f"The report cannot be written to {path}: {exc}") from exc


def load(path: Path) -> Report:
    """Read a report.

    Raises:
        BenchmarkFailed: The file cannot be read, or is no report of this format.
    """
    try:
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError) as exc:
        raise BenchmarkFailed(f"{path} is not a report of 'benchmarks run --json': {exc}") from exc
    if report.format != FORMAT:
        raise BenchmarkFailed(
            f"{path} has format {report.format}, this program reads {FORMAT}; make it anew."
        )
    return report


class Change(msgspec.Struct, frozen=True):
    """One figure in two reports.

    Attributes:
        question: The question that it belongs to.
        name: The series or the ratio.
        unit: Its unit, empty for a ratio.
        before: Median in the first report.
        after: Median in the second report.
        verdict: ``better``, ``worse`` or ``same`` for a series; empty for a ratio.
    """

    question: str
    name: str
    unit: str
    before: float
    after: float
    verdict: str = ""

    @property
    def factor(self) -> float | None:
        """The second figure divided by the first, or None where the first is zero."""
        return self.after / self.before if self.before else None


def compare(before: Report, after: Report) -> list[Change]:
    """Return what both reports hold, in the order of the first."""
    theirs = {answer.question: answer for answer in after.answers}
    changes = []
    for answer in before.answers:
        if answer.question in theirs:
            changes += _changes(answer, theirs[answer.question])
    return changes


def differences(before: Report, after: Report) -> list[str]:
    """Return in sentences why two reports may not be comparable."""
    return [
        f"{what} differ: {one} and {other}"
        for what, one, other in (
            ("the processors", before.machine.processor, after.machine.processor),
            ("the numbers of processors", before.machine.processors, after.machine.processors),
            ("the systems", before.machine.system, after.machine.system),
            ("the versions of Python", before.python, after.python),
            ("the brokers", before.broker, after.broker),
            ("the branches' options", before.branch_options, after.branch_options),
            ("the lengths of the rounds", _length(before), _length(after)),
        )
        if one != other
    ]


def _length(report: Report) -> str:
    return "quick" if report.quick else "full"


def _changes(before: Answer, after: Answer) -> list[Change]:
    series = {one.name: one for one in after.series}
    ratios = {one.name: one for one in after.ratios}
    return [
        Change(
            before.question,
            one.name,
            one.unit,
            one.summary.median,
            series[one.name].summary.median,
            _verdict(one, series[one.name]),
        )
        for one in before.series
        if one.name in series
    ] + [
        Change(
            before.question,
            one.name,
            "",
            one.summary.median,
            ratios[one.name].summary.median,
        )
        for one in before.ratios
        if one.name in ratios
    ]


def _verdict(before: Series, after: Series) -> str:
    if not are_apart(before.samples, after.samples):
        return "same"
    fell = after.summary.median < before.summary.median
    return "better" if fell == before.less_is_better else "worse"
