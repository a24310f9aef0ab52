"""Who does for the driver what the node decides and sockets alone cannot do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cyme.core.cluster.ownership import Verdict
from cyme.core.model import Instance

Examination = Callable[[Instance], tuple[Verdict, str]]


class Hands(Protocol):
    """Who starts and stops workers: the supervisor."""

    def prepare(self, instance: Instance) -> None:
        """Run the worker of an instance that another branch owns."""

    def abandon(self, name: str) -> None:
        """Stop a worker that was prepared, unless it is ours by now."""

    def reconsider(self, name: str) -> None:
        """Look at an instance again, as it is kept no more."""

    def nudge(self) -> None:
        """Make a pass at once."""


class Performer(Protocol):
    """Who performs a call for another branch; returns whether it went well, and the value."""

    def __call__(self, method: str, arguments: bytes, *, timeout_s: float) -> tuple[bool, bytes]:
        """Perform a call."""

    def waits(self, method: str) -> bool:
        """Tell whether a call may take long without doing anything, as one that only reads."""
