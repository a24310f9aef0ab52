"""Copies of a SQLite database, made before its schema changes; the newest few are kept."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

logger = logging.getLogger(__name__)

BACKUPS_MAX = 5

_NAME = re.compile(r"cyme-schema\d+-\d{8}T\d{12}Z\.sqlite")


def backups_in(directory: Path) -> Sequence[Path]:
    """Return the backups, the newest first."""
    if not directory.is_dir():
        return []
    found = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name.split("-")[-1], reverse=True)


def make_backup(directory: Path, schema: int, copy_to: Callable[[Path], None]) -> Path:
    """Make a backup, whole or not at all, and remove those beyond the limit.

    Args:
        directory: Where backups are kept; made when it is not there.
        schema: The schema of the database as it is.
        copy_to: Writes the copy into the file that it is given, which exists and is empty.

    Returns:
        The backup.

    Raises:
        OSError: It cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    backup = directory / f"cyme-schema{schema}-{now}.sqlite"
    unfinished = backup.with_suffix(".unfinished")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        copy_to(unfinished)
        _flush(unfinished)
        unfinished.rename(backup)
        _flush(directory)
    finally:
        unfinished.unlink(missing_ok=True)
    logger.info("backed up the database to %s", backup)
    for old in backups_in(directory)[BACKUPS_MAX:]:
        old.unlink(missing_ok=True)
    return backup


def advice(directory: Path) -> str:
    """Return a sentence that says which backups there are."""
    found = backups_in(directory)
    if not found:
        return f"There is no backup in {directory}."
    return "Backups, the newest first: " + ", ".join(str(path) for path in found) + "."


def _flush(path: Path) -> None:
    """Make sure that the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
