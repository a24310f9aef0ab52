"""Moments on the command line: ``90s``, ``10m``, ``2h``, ``1d`` ago, or an ISO 8601 text."""

from __future__ import annotations

import re
from datetime import datetime

from cyme.cli.faults import BadUsage
from cyme.cli.text.figures import parsed

_AGO = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)?\Z")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def since_in(text: str | None) -> str | float | None:
    """Return a moment as the API takes it: a number of seconds ago, or ISO 8601.

    Raises:
        BadUsage: It is none.
    """
    if text is None:
        return None
    ago = _AGO.match(text)
    if ago is not None:
        return float(ago[1]) * _UNITS_S[ago[2] or "s"]
    moment = parsed(text)
    if moment is None:
        raise BadUsage(f"{text!r} is no moment; say 90s, 10m, 2h, 1d, or 2030-01-31T12:00:00Z.")
    return moment.isoformat()


def later_in(text: str | None) -> float | datetime | None:
    """Return a moment to come: a number of seconds from now, or the moment.

    Raises:
        BadUsage: It is none.
    """
    since = since_in(text)
    return parsed(since) if isinstance(since, str) else since
