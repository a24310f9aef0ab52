from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cyme.cli.text.paint import Paint
from cyme.cli.text.tables import Column, table_lines

COLUMNS = (
    Column("NAME", lambda row: row["name"], flexible=True),
    Column("N", lambda row: row["n"], right=True),
    Column("REASON", lambda row: row["reason"], flexible=True),
)
ROWS = [
    {"name": "short", "n": "1", "reason": "it answers"},
    {"name": "a-much-longer-name", "n": "1000", "reason": "a long reason that goes on and on"},
]


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert list(table_lines(COLUMNS, ROWS)) == [
        "NAME                   N  REASON",
        "short                  1  it answers",
        "a-much-longer-name  1000  a long reason that goes on and on",
    ]


@pytest.mark.parametrize("width", [80, 50, 40, 30, 24, 20])
def test_fits_into_the_terminal(width: int) -> None:
    lines = list(table_lines(COLUMNS, ROWS, width=width))
    assert all(len(line) <= width for line in lines)
    assert all("1" in line for line in lines[1:])


def test_cuts_what_may_be_cut_before_anything_else() -> None:
    line = list(table_lines(COLUMNS, ROWS, width=40))[2]
    assert line == "a-much-longe…  1000  a long reason that…"[: len(line)] or "…" in line
    assert "1000" in line


def test_a_reason_goes_on_in_the_next_line() -> None:
    columns = [*COLUMNS[:-1], replace(COLUMNS[-1], folds=True)]
    assert list(table_lines(columns, ROWS, width=44)) == [
        "NAME         N  REASON",
        "short        1  it answers",
        "a-much-…  1000  a long reason that goes on",
        "                and on",
    ]
    assert list(table_lines(columns, ROWS)) == list(table_lines(COLUMNS, ROWS))
    assert all(len(line) <= 20 for line in table_lines(columns, ROWS, width=20))


def test_columns_that_say_nothing_give_way_where_it_is_narrow() -> None:
    rows = [{**row, "n": ""} for row in ROWS]

    def titles(**settings: Any) -> list[str]:
        return next(iter(table_lines(COLUMNS, rows, **settings))).split()

    assert titles(width=80) == ["NAME", "N", "REASON"]
    assert titles(width=50) == ["NAME", "REASON"]
    assert len(titles(width=50, widths_min=[4, 1, 6])) == 3, "rows that follow may say something"


def test_says_nothing_with_a_dash_and_can_leave_the_titles_out() -> None:
    rows = [{"name": "x", "n": "", "reason": ""}]
    assert list(table_lines(COLUMNS, rows, headers=False)) == ["x  -  -"]


def test_shows_what_a_terminal_would_obey() -> None:
    rows = [{"name": "a\x1b[2J\nb", "n": "1", "reason": "x"}]
    assert list(table_lines(COLUMNS, rows, headers=False)) == ["a\\x1b[2J\\nb  1  x"]


def test_colours_only_cells_and_only_where_there_are_colours() -> None:
    columns = [Column("S", lambda row: row["n"], paint=lambda _text: Paint.GOOD)]
    rows = [{"n": "ok"}]
    assert list(table_lines(columns, rows, headers=False, colour=True)) == ["\x1b[32mok\x1b[0m"]
    assert list(table_lines(columns, rows, headers=False)) == ["ok"]
