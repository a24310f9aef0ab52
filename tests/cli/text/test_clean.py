from __future__ import annotations

import json

import pytest

from cyme.cli.text.clean import columns_of, cut, folded, json_safe, log_line, one_line, padded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("safe\u202eexe.txt", "safe\\u202eexe.txt"),
        ("\u2066\u200b\ufeff", "\\u2066\\u200b\\ufeff"),
        ("half \ud800", "half \\ud800"),
        ("žluťoučký 你好 👋", "žluťoučký 你好 👋"),
    ],
)
def test_shows_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_a_log_line_loses_colours_keeps_tabs_and_shows_the_rest() -> None:
    assert log_line("\x1b[31mred\x1b[0m\tx\x1b[2Jy") == "red\tx\\x1b[2Jy"


def test_json_stays_json_and_holds_nothing_that_a_terminal_obeys() -> None:
    data = {"reason": "\x1b[2J\u202e\x9b\n"}
    text = json_safe(json.dumps(data, ensure_ascii=False, indent=2))
    assert json.loads(text) == data
    assert not set(text) & {"\x1b", "\u202e", "\x9b"}


@pytest.mark.parametrize(
    ("text", "columns", "short"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("你好你好", 5, "你好…"),
        ("abc", 0, ""),
        ("abc", 1, "…"),
    ],
)
def test_cuts_by_the_columns_that_are_taken(text: str, columns: int, short: str) -> None:
    assert cut(text, columns) == short
    assert columns_of(short) <= columns


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("", 5, [""]),
        ("a bc def", 4, ["a bc", "def"]),
        ("a bc def", 80, ["a bc def"]),
        ("abcdefgh i", 3, ["abc", "def", "gh", "i"]),
        ("x abcdefgh", 4, ["x", "abcd", "efgh"]),
        ("\u4e16\u754c\u4e16 x", 4, ["\u4e16\u754c", "\u4e16 x"]),
    ],
)
def test_folds_between_words_where_it_can(text: str, columns: int, lines: list[str]) -> None:
    assert folded(text, columns) == lines


def test_pads_by_the_columns_that_are_taken() -> None:
    assert padded("你", 4) == "你  "
    assert padded("e\u0301", 3, right=True) == "  e\u0301"
