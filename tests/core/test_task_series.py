from __future__ import annotations

from cyme.core.task_events import TaskDeed
from cyme.core.task_series import STEP_S, STEPS, TaskSeries, merged_totals
from cyme.core.vitals import TaskTotals

NOW = 1_000_005.0


def test_what_tasks_came_to_is_counted_by_the_ten_seconds() -> None:
    series = TaskSeries()
    for deed in TaskDeed:
        series.note(deed, NOW)
    series.note(TaskDeed.SUCCEEDED, NOW - 25)
    totals = series.totals(NOW)
    assert (totals.succeeded, totals.failed, totals.retried) == (2, 1, 1)
    assert len(totals.series) == STEPS
    assert totals.series[-1] == (1_000_000, 1, 1)
    assert totals.series[-3] == (999_980, 1, 0)
    assert [at for at, *_ in totals.series] == list(range(999_410, 1_000_001, STEP_S))


def test_a_rate_is_that_of_the_last_minute() -> None:
    series = TaskSeries()
    for back in range(0, 120, 1):
        series.note(TaskDeed.FAILED if back % 2 else TaskDeed.SUCCEEDED, NOW - back)
    totals = series.totals(NOW)
    assert 0.9 < totals.rate < 1.1
    assert 0.4 < totals.failure_rate < 0.6


def test_what_is_older_than_ten_minutes_is_gone() -> None:
    series = TaskSeries()
    series.note(TaskDeed.SUCCEEDED, NOW - STEP_S * STEPS)
    assert series.totals(NOW).succeeded == 0


def test_a_clock_that_jumps_leaves_nothing_behind() -> None:
    series = TaskSeries()
    for jump in range(0, 1_000_000, 1000):
        series.note(TaskDeed.SUCCEEDED, NOW + jump)
        series.note(TaskDeed.SUCCEEDED, NOW - jump)
    assert len(series._steps) <= 2 * STEPS
    assert series.totals(0.0).succeeded == 0


def test_what_several_collectors_know_is_added_by_the_ten_seconds() -> None:
    one = TaskTotals(rate=1.0, succeeded=2, failed=1, series=((10, 1, 0), (20, 1, 1)), events=3)
    two = TaskTotals(rate=0.5, failure_rate=0.1, succeeded=1, series=((20, 1, 0), (30, 0, 0)))
    merged = merged_totals([one, two])
    assert merged.series == ((10, 1, 0), (20, 2, 1), (30, 0, 0))
    assert (merged.rate, merged.failure_rate, merged.succeeded) == (1.5, 0.1, 3)
    assert merged.events == 3
    assert merged_totals([]) == TaskTotals()


def test_clocks_that_differ_make_no_longer_series() -> None:
    parts = [TaskTotals(series=tuple((at, 1, 0) for at in range(n, 900 + n, 10))) for n in (0, 3)]
    assert len(merged_totals(parts).series) == STEPS
