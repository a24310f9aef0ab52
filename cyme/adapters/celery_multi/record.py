"""``worker.json``: who the worker of an instance is, for the branch that comes after this one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cyme.core.workers import Process

_NAME = "worker.json"


def remember(place: Path, process: Process) -> None:
    """Write who the worker is, readable by this user only; a reader sees all of it or nothing.

    Raises:
        OSError: The file cannot be written.
    """
    new = place / f"{_NAME}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(
            {
                "pid": process.pid,
                "started": process.started,
                "boot_id": process.boot_id,
                "digest": process.digest,
            },
            file,
        )
    new.replace(place / _NAME)


def recorded(place: Path) -> Process | None:
    """Return who the worker is or was; None if nothing legible says so."""
    try:
        fields = json.loads((place / _NAME).read_text(encoding="utf-8"))
        return Process(
            int(fields["pid"]),
            float(fields["started"]),
            str(fields["boot_id"]),
            str(fields["digest"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(place: Path) -> None:
    """Remove what says who the worker was, the pid file that it may have left included.

    Raises:
        OSError: A file cannot be removed.
    """
    for name in (_NAME, "worker.pid"):
        (place / name).unlink(missing_ok=True)
