"""Moments and figures as replies tell them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def moment(seconds: float) -> datetime: ...
@overload
def moment(seconds: None) -> None: ...
@overload
def moment(seconds: float | None) -> datetime | None: ...
def moment(seconds: float | None) -> datetime | None:
    """Return the moment so many seconds after 1970, UTC; None is not known."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@overload
def rounded(figure: float) -> float: ...
@overload
def rounded(figure: None) -> None: ...
@overload
def rounded(figure: float | None) -> float | None: ...
def rounded(figure: float | None) -> float | None:
    """Return a figure as it is to be read; more digits than these say nothing. None stays."""
    return None if figure is None else round(figure, 3)
