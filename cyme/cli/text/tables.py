"""Plain tables: columns as wide as what is in them, cut to the terminal where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cyme.cli.text.clean import columns_of, cut, one_line, padded
from cyme.cli.text.figures import NOTHING
from cyme.cli.text.paint import Paint, painted

Row = Mapping[str, Any]

_GAP = "  "
#: A column that may be cut keeps so many columns.
_KEPT_MIN = 6


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
    """

    title: str
    value: Callable[[Row], str]
    wide: bool = False
    flexible: bool = False
    right: bool = False
    paint: Callable[[str], Paint | None] | None = None


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
    widths = widths_of(columns, cells, headers=headers, width=width, widths_min=widths_min)
    if headers:
        titles = _line([column.title for column in columns], columns, widths, [None] * len(columns))
        yield painted(cut(titles, width) if width else titles, Paint.BOLD, colour=colour)
    for row in cells:
        paints = [
            column.paint(cell) if column.paint and colour else None
            for column, cell in zip(columns, row, strict=True)
        ]
        yield _line(row, columns, widths, paints)


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
    flexible = [index for index, column in enumerate(columns) if column.flexible]
    while over > 0 and flexible:
        widest = max(flexible, key=lambda index: widths[index])
        least = max(_KEPT_MIN, len(columns[widest].title) if headers else 0)
        if widths[widest] <= least:
            break
        widths[widest] -= 1
        over -= 1
    for index in range(len(widths) - 1, 0, -1):  # what does not fit at all ends at the edge
        spare = widths[index] - 1
        if over > 0 and not columns[index].right and spare > 0:
            taken = min(over, spare)
            widths[index] -= taken
            over -= taken
    return widths


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
