"""Chance that repeats itself: the same seed throws the same dice.

The generator is splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_MASK = 2**64 - 1

T = TypeVar("T")


class Dice:
    """A source of numbers that look random and are a function of the seed.

    Args:
        seed: Any integer.
    """

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, limit: int) -> int:
        """Return an integer from 0 to ``limit`` - 1; ``limit`` is at least 1."""
        return self._next() % limit

    def around(self, middle: float, spread: float) -> float:
        """Return a number within ``spread`` (a fraction) of ``middle``."""
        return middle * (1.0 + spread * (self._next() / 2.0**63 - 1.0))

    def some(self, choices: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different ones of the choices, or all if they are fewer."""
        left = list(choices)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        return mixed ^ mixed >> 31
