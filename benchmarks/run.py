"""What a question is given when it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

T = TypeVar("T")

#: The word for the broker that Cyme brings along.
EMBEDDED = "embedded"


class Progress(Protocol):
    """Shows how far a question has come."""

    def expect(self, steps: int) -> None:
        """Say how many steps the question takes in all."""

    def step(self, text: str) -> None:
        """Begin the next step; the text says what is done in it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One question, asked in one run.

    Attributes:
        quick: Whether to take short rounds.
        random: Where chance comes from, made of the run's seed.
        broker: ``embedded``, or the URL of a broker.
        branch_options: Further options for ``cyme-branch``.
        directory: An empty directory that is removed afterwards.
        progress: Shows how far it has come.
    """

    quick: bool
    random: Random
    broker: str
    branch_options: tuple[str, ...]
    directory: Path
    progress: Progress

    def either(self, full: T, quick: T) -> T:
        """Return one of two values, by the length of the run."""
        return quick if self.quick else full
