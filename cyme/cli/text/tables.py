"""Plain tables: columns as wide as what is in them, fitted to the terminal where there is one.

Where that is too narrow, columns that say nothing of any row are left out, then long texts are cut;
a reason, which is what its table is read for, goes on in the next line instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cyme.cli.text.clean import columns_of, cut, folded, one_line, padded
from cyme.cli.text.figures import NOTHING
from cyme.cli.text.paint import Paint, painted

Row = Mapping[str, Any]

_GAP = "  "
#: A column that may be cut keeps so many columns.
_KEPT_MIN = 6
#: A column that goes on in the next line keeps so many.
_FOLDED_MIN = 28


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        value: What it shows of a row.
        wide: Whether it stands in a wide table only.
        flexible: Whether it may be cut where the terminal is narrow.
        right: Whether it holds figures, which end where the column ends.
        paint: The colour of a cell by its text.
        folds: Whether it goes on in the next line in place of being cut; for the last column.
    """

    title: str
    value: Callable[[Row], str]
    wide: bool = False
    flexible: bool = False
    right: bool = False
    paint: Callable[[str], Paint | None] | None = None
    folds: bool = False


def table_lines(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    headers: bool = True,
    width: int | None = None,
    colour: bool = False,
    widths_min: Sequence[int] = (),
) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        columns: What it shows.
        rows: Of these.
        headers: Whether the titles stand above.
        width: How many columns the terminal has; None cuts nothing.
        colour: Whether cells are coloured.
        widths_min: What the columns take at least, so that more rows can follow later.
    """
    cells = [[one_line(column.value(row)) or NOTHING for column in columns] for row in rows]
    if width is not None and not widths_min:
        columns, cells = _telling(columns, cells, headers=headers, width=width)
    widths = widths_of(columns, cells, headers=headers, width=width, widths_min=widths_min)
    if headers:
        titles = _line([column.title for column in columns], columns, widths, [None] * len(columns))
        yield painted(cut(titles, width) if width else titles, Paint.BOLD, colour=colour)
    for row in cells:
        paints = [
            column.paint(cell) if column.paint and colour else None
            for column, cell in zip(columns, row, strict=True)
        ]
        first, *others = _folds(row, columns, widths)
        yield _line(first, columns, widths, paints)
        yield from (_line(more, columns, widths, [None] * len(columns)) for more in others)


def _telling(
    columns: Sequence[Column], cells: list[list[str]], *, headers: bool, width: int
) -> tuple[Sequence[Column], list[list[str]]]:
    """Return the columns and their cells, without those that say nothing if all do not fit."""
    natural = widths_of(columns, cells, headers=headers, width=None)
    if not cells or sum(natural) + len(_GAP) * (len(natural) - 1) <= width:
        return columns, cells
    kept = [i for i in range(len(columns)) if any(row[i] != NOTHING for row in cells)]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in cells]


def _folds(
    row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]
) -> list[Sequence[str]]:
    """Return the lines of a row: one, or more where its last cell is folded."""
    if not (columns and columns[-1].folds and widths[-1] >= _KEPT_MIN):
        return [row]
    first, *others = folded(row[-1], widths[-1])
    blank = [""] * (len(row) - 1)
    return [[*row[:-1], first], *([*blank, more] for more in others)]


def widths_of(
    columns: Sequence[Column],
    cells: Sequence[Sequence[str]],
    *,
    headers: bool,
    width: int | None,
    widths_min: Sequence[int] = (),
) -> list[int]:
    """Return how wide each column is, the flexible ones narrowed until the table fits."""
    widths = [
        max(
            [columns_of(row[index]) for row in cells]
            + [len(column.title) if headers else 0]
            + list(widths_min[index : index + 1])
        )
        for index, column in enumerate(columns)
    ]
    if width is None:
        return widths
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while over > 0:
        able = [i for i in range(len(columns)) if widths[i] > _least(columns[i], headers=headers)]
        if not able:
            break
        widths[max(able, key=lambda index: widths[index])] -= 1
        over -= 1
    for index in range(len(widths) - 1, 0, -1):  # what does not fit at all ends at the edge
        spare = widths[index] - 1
        if over > 0 and not columns[index].right and spare > 0:
            taken = min(over, spare)
            widths[index] -= taken
            over -= taken
    return widths


def _least(column: Column, *, headers: bool) -> float:
    """Return how many columns a column keeps before any other is cut at the edge."""
    if not column.flexible:
        return math.inf
    kept = _FOLDED_MIN if column.folds else _KEPT_MIN
    return max(kept, len(column.title) if headers else 0)


def _line(
    cells: Sequence[str],
    columns: Sequence[Column],
    widths: Sequence[int],
    paints: Sequence[Paint | None],
) -> str:
    parts = []
    for cell, column, width, paint in zip(cells, columns, widths, paints, strict=True):
        text = padded(cut(cell, width), width, right=column.right)
        bare = text.rstrip()
        parts.append(painted(bare, paint, colour=paint is not None) + text[len(bare) :])
    return _GAP.join(parts).rstrip()
