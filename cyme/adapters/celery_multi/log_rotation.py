"""Keeps the logs of workers small: ``worker.log`` becomes ``worker.log.1``, and so on.

Celery opens its log anew when the name leads to another file (``WatchedFileHandler``), in the
children of its pool as well, so that a name is all that has to change.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from cyme.adapters.celery_multi.raw_output import LOG_FILE, add_to_log, make_log

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """How large the log of a worker grows.

    Attributes:
        bytes_max: It is rotated once it is larger; 0 for never.
        kept: How many earlier files are kept.
    """

    bytes_max: int = 10 * 1024 * 1024
    kept: int = 5


def tend(place: Path, limits: LogLimits) -> None:
    """Add to a worker's log what it printed, and rotate it if it is too large.

    Args:
        place: The directory of the instance.
        limits: How large it may be.
    """
    try:
        add_to_log(place)
        if limits.bytes_max and (place / LOG_FILE).stat().st_size > limits.bytes_max:
            _rotate(place, limits.kept)
            logger.debug("rotated %s", place / LOG_FILE)
    except FileNotFoundError:  # it never ran, or was deleted at this moment
        pass
    except OSError as exc:
        logger.warning("the log of %s cannot be tended: %s", place.name, exc)


def _rotate(place: Path, kept: int) -> None:
    """Rename the files of a log, the oldest first, so that none is ever overwritten unseen."""
    numbered = sorted(rotated(place), reverse=True)
    for number in numbered:
        if number >= kept:
            (place / f"{LOG_FILE}.{number}").unlink(missing_ok=True)
    for number in numbered:
        if number < kept:
            (place / f"{LOG_FILE}.{number}").rename(place / f"{LOG_FILE}.{number + 1}")
    (place / LOG_FILE).rename(place / f"{LOG_FILE}.1")
    make_log(place)


def rotated(place: Path) -> list[int]:
    """Return the numbers of the files that were a worker's log before, in no order."""
    numbers = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            number = entry.name.removeprefix(f"{LOG_FILE}.")
            if number != entry.name and number.isascii() and number.isdigit():
                numbers.append(int(number))
    return numbers
