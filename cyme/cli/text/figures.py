"""Ages, sizes and rates as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE_S = 60
_HOUR_S = 60 * _MINUTE_S
_DAY_S = 24 * _HOUR_S
_YEAR_S = 365 * _DAY_S
_UNIT = 1024
_TEN = 10

NOTHING = "-"


def age(seconds: float) -> str:
    """Return a duration in at most two units: ``42s``, ``5m10s``, ``3h5m``, ``12d``, ``2y40d``."""
    whole = max(0, int(seconds))
    for unit_s, unit, part_s, part in (
        (_YEAR_S, "y", _DAY_S, "d"),
        (_DAY_S, "d", _HOUR_S, "h"),
        (_HOUR_S, "h", _MINUTE_S, "m"),
        (_MINUTE_S, "m", 1, "s"),
    ):
        if whole >= unit_s:
            rest = whole % unit_s // part_s
            # After ten of a unit its parts say nothing.
            exact = rest and whole < _TEN * unit_s
            return f"{whole // unit_s}{unit}{rest}{part}" if exact else f"{whole // unit_s}{unit}"
    return f"{whole}s"


def age_since(moment: object, now: datetime) -> str:
    """Return how long ago a moment was that a branch wrote, ``-`` if it is none."""
    at = parsed(moment)
    return age((now - at).total_seconds()) if at is not None else NOTHING


def parsed(moment: object) -> datetime | None:
    """Return the moment in an ISO 8601 text, None if there is none in it."""
    if not isinstance(moment, str):
        return None
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def clock_time(moment: object) -> str:
    """Return a moment as local time of day, with the day where it is not today."""
    at = parsed(moment)
    if at is None:
        return NOTHING
    local = at.astimezone()
    today = datetime.now(UTC).astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"


def size(count: float) -> str:
    """Return a number of bytes: ``512B``, ``1.5M``, ``23G``."""
    for unit in ("B", "K", "M", "G", "T"):
        if count < _UNIT or unit == "T":
            break
        count /= _UNIT
    exact = unit != "B" and count < _TEN
    return f"{count:.1f}{unit}" if exact else f"{count:.0f}{unit}"


def rate(per_second: float) -> str:
    """Return a rate: ``0``, ``0.25``, ``12.5``, ``1840``."""
    if per_second == 0:
        return "0"
    if per_second < 1:
        return f"{per_second:.2f}"
    return f"{per_second:.1f}" if per_second < _TEN * _TEN else f"{per_second:.0f}"


def seconds(duration: float) -> str:
    """Return how long something ran: ``12ms``, ``1.25s``, ``3m10s``."""
    if duration < 1:
        return f"{duration * 1000:.0f}ms"
    return f"{duration:.2f}s" if duration < _MINUTE_S else age(duration)
