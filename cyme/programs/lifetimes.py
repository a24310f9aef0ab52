"""What a program started, in its order, so that it is stopped in reverse."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TextIO, TypeVar

from cyme.errors import CymeError

logger = logging.getLogger(__name__)

#: A part of a branch that stops has so long to end, in seconds.
PART_STOP_TIMEOUT_S = 5.0

T = TypeVar("T")


class StopAsked(Exception):
    """The program was asked to stop while it was still starting."""


class Progress:
    """Tells a person at a terminal what happens; anybody else reads the log.

    Args:
        stream: Where to tell it, if it is a terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._is_shown = self._stream.isatty()

    def tell(self, step: str) -> None:
        """Tell what begins now; what has no title is not worth telling."""
        if not step:
            return
        logger.debug("%s", step)
        if self._is_shown:
            self._stream.write(f"... {step}\n")
            self._stream.flush()


class Lifetimes:
    """Starts things one after the other and stops them in reverse.

    Args:
        progress: Who is told of every step.
        is_stop_asked: Whether the program was asked to stop; looked at before every step.
    """

    def __init__(self, progress: Progress, is_stop_asked: Callable[[], bool]) -> None:
        self._progress = progress
        self._is_stop_asked = is_stop_asked
        self._ends: list[tuple[str, Callable[[], object]]] = []

    def step(
        self,
        title: str,
        begin: Callable[[], T],
        *,
        end: Callable[[], object] | None = None,
        end_title: str = "",
    ) -> T:
        """Do a step of the start.

        Args:
            title: What it does, as it reads after '...'.
            begin: Does it; what it raises ends the start.
            end: Undoes it when the program stops; it has its own deadline.
            end_title: What that does; without one it is not told.

        Raises:
            StopAsked: The program was asked to stop meanwhile; nothing was done.
        """
        if self._is_stop_asked():
            raise StopAsked
        self._progress.tell(title)
        value = begin()
        if end is not None:
            self._ends.append((end_title, end))
        return value

    def at_end(self, end: Callable[[], object], title: str = "") -> None:
        """Have something done when the program stops, of which nothing is to be begun.

        Args:
            end: Does it; it has its own deadline.
            title: What it does; without one it is not told.

        Raises:
            StopAsked: The program was asked to stop meanwhile; it will not be done.
        """
        self.step("", _nothing, end=end, end_title=title)

    def stop(self) -> None:
        """Undo all steps, the latest first; one that fails does not keep the others."""
        while self._ends:
            title, end = self._ends.pop()
            self._progress.tell(title)
            try:
                end()
            except CymeError as exc:
                logger.error("%s failed: %s", title or end, exc)  # noqa: TRY400 - it says enough
            except Exception:  # the rest must be stopped too
                logger.exception("%s failed", title or end)


def _nothing() -> None:
    """Do nothing."""
