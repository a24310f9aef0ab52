from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cyme.cli.text import figures

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (-5, "0s"), (59.9, "59s"), (60, "1m"), (310, "5m10s"), (600, "10m"),
        (601, "10m"), (3600, "1h"), (11100, "3h5m"), (36060, "10h"), (86400 * 3 + 7200, "3d2h"),
        (86400 * 12, "12d"), (86400 * (2 * 365 + 40), "2y40d"),
    ],
)  # fmt: skip
def test_ages_have_at_most_two_units(seconds: float, text: str) -> None:
    assert figures.age(seconds) == text


def test_the_age_of_a_moment_and_of_none() -> None:
    moment = (NOW - timedelta(seconds=90)).isoformat().replace("+00:00", "Z")
    assert figures.age_since(moment, NOW) == "1m30s"
    assert figures.age_since(None, NOW) == figures.age_since("soon", NOW) == "-"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1.0K"), (1536, "1.5K"), (10 * 1024, "10K"),
     (102 * 1024**2, "102M"), (3.5 * 1024**3, "3.5G"), (5 * 1024**5, "5120T")],
)  # fmt: skip
def test_sizes(count: float, text: str) -> None:
    assert figures.size(count) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (0.99, "0.99"),
        (1, "1.0"),
        (12.54, "12.5"),
        (99.9, "99.9"),
        (100, "100"),
        (1840.2, "1840"),
    ],
)
def test_rates(rate: float, text: str) -> None:
    assert figures.rate(rate) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.0123, "12ms"), (1.25, "1.25s"), (190, "3m10s")])
def test_durations(seconds: float, text: str) -> None:
    assert figures.seconds(seconds) == text


def test_the_time_of_day_has_its_day_unless_it_is_today() -> None:
    today = datetime.now(UTC).isoformat()
    assert len(figures.clock_time(today)) == len("12:00:00")
    assert figures.clock_time("2001-02-03T12:00:00Z").startswith("2001-02-03 ")
    assert figures.clock_time(None) == "-"
