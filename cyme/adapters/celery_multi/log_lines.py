"""Lines of a worker's log: what may be shown of them, and when they were written."""

from __future__ import annotations

import re
from datetime import datetime

from cyme.core.worker_logs import LINE_BYTES_MAX

_CUT = b" ... (cut here)"

#: As Celery begins a line: ``[2026-11-21 15:59:01,123: INFO/MainProcess] ...``, local time.
_STAMP = re.compile(rb"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})")

#: No more of a line is needed to tell when it was written.
STAMP_BYTES = 32

#: What would order a terminal about is shown as an escape; tabs are harmless.
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\t")},
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def shown(line: bytes) -> bytes:
    """Return a line as it may be shown: UTF-8, not too long, no control characters, ended.

    Args:
        line: As it stands in the file, with its end or without.
    """
    bare = line.rstrip(b"\r\n")
    end = b"\n"
    if len(bare) > LINE_BYTES_MAX:
        bare, end = bare[:LINE_BYTES_MAX], _CUT + b"\n"
    text = bare.decode("utf-8", errors="replace")
    if not text.isprintable():
        text = text.translate(_ESCAPES)
    return text.encode("utf-8", errors="replace") + end


def moment_of(line: bytes) -> float | None:
    """Return when Celery wrote a line, in seconds since 1970; None if it does not say."""
    found = _STAMP.match(line)
    if found is None:
        return None
    try:
        whole = datetime.strptime(found[1].decode("ascii"), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - local
        return whole.timestamp() + int(found[2]) / 1000
    except (ValueError, OverflowError, OSError):
        return None
