from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Ratio, Series
from benchmarks.report import Answer, Machine, Report, compare, differences, load, save

MACHINE = Machine(system="Linux 6", processor="fast", processors=2, memory_mb=4096, load=0.5)


def report(*answers: Answer, quick: bool = False, machine: Machine = MACHINE) -> Report:
    return Report(
        taken_at="2026-01-02T03:04:05+00:00",
        commit="abc",
        seed=1,
        quick=quick,
        broker="embedded",
        branch_options=(),
        python="3.13.0",
        packages={"celery": "5.6"},
        machine=machine,
        answers=answers,
    )


def answer(*samples: float, less_is_better: bool = True) -> Answer:
    return Answer(
        "read",
        (Series("latency", "ms", samples, less_is_better=less_is_better),),
        (Ratio("ours / peers", (0.5, 0.7)),),
        (Bar("latency", max(samples), 5.0, "ms"),),
    )


FIGURES = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1).map(tuple)


@given(st.text(), FIGURES, st.booleans())
def test_a_report_comes_back_from_json_as_it_was(
    name: str, samples: tuple[float, ...], flag: bool
) -> None:
    made = report(
        Answer(
            name,
            (Series(name, name, samples, less_is_better=flag),),
            (Ratio(name, samples),),
            (Bar(name, samples[0], samples[-1], name, at_most=flag),),
            (name,),
        ),
        quick=flag,
    )
    assert msgspec.json.decode(msgspec.json.encode(made), type=Report) == made


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    made = report(answer(1.0, 2.0))
    save(made, tmp_path / "report.json")
    assert load(tmp_path / "report.json") == made


def test_tells_what_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match=r"missing\.json is not a report"):
        load(tmp_path / "missing.json")
    (tmp_path / "other.json").write_text('{"some": "thing"}')
    with pytest.raises(BenchmarkFailed, match=r"other\.json is not a report"):
        load(tmp_path / "other.json")


def test_refuses_a_report_of_another_format(tmp_path: Path) -> None:
    save(msgspec.structs.replace(report(), format=99), tmp_path / "new.json")
    with pytest.raises(BenchmarkFailed, match="format 99"):
        load(tmp_path / "new.json")


def test_tells_where_a_report_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match="cannot be written"):
        save(report(), tmp_path / "missing" / "report.json")


@pytest.mark.parametrize(
    ("before", "after", "less_is_better", "verdict"),
    [
        ((1.0, 1.1), (2.0, 2.1), True, "worse"),
        ((1.0, 1.1), (2.0, 2.1), False, "better"),
        ((2.0, 2.1), (1.0, 1.1), True, "better"),
        ((2.0, 2.1), (1.0, 1.1), False, "worse"),
        ((1.0, 2.0), (1.5, 2.5), True, "same"),
    ],
)
def test_a_change_has_a_verdict_where_it_is_more_than_noise(
    before: tuple[float, ...], after: tuple[float, ...], less_is_better: bool, verdict: str
) -> None:
    series, _ = compare(
        report(answer(*before, less_is_better=less_is_better)),
        report(answer(*after, less_is_better=less_is_better)),
    )
    assert series.verdict == verdict
    assert series.factor == pytest.approx(series.after / series.before)


def test_compares_only_what_both_reports_hold() -> None:
    other = Answer("write", (Series("rate", "/s", (1.0,)),))
    changes = compare(report(answer(1.0), other), report(answer(1.0)))
    assert [change.name for change in changes] == ["latency", "ours / peers"]
    assert compare(report(other), report(answer(1.0))) == []


def test_there_is_no_factor_to_nothing() -> None:
    change, _ = compare(report(answer(0.0)), report(answer(1.0)))
    assert change.factor is None


def test_says_why_reports_may_not_be_comparable() -> None:
    other = report(quick=True, machine=msgspec.structs.replace(MACHINE, processor="slow"))
    assert differences(report(), report()) == []
    assert differences(report(), other) == [
        "the processors differ: fast and slow",
        "the lengths of the rounds differ: full and quick",
    ]


def test_knows_the_bars_that_are_missed() -> None:
    assert report(answer(1.0)).missed == []
    assert [bar.value for bar in report(answer(1.0), answer(6.0)).missed] == [6.0]
