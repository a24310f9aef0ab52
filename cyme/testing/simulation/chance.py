"""Chance that is a function of the seed."""

from __future__ import annotations

from random import Random


def chance(seed: int, purpose: str) -> Random:
    """Return a source of chance; each purpose has one of its own, so that none disturbs another."""
    return Random(f"{seed}/{purpose}")  # noqa: S311 - it is to repeat itself
