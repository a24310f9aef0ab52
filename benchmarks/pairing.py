"""Measuring two things in turns, so that what disturbs the machine disturbs both. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Side(StrEnum):
    """Which of the two is measured."""

    OURS = "ours"
    PEER = "peer"


def turns(pairs: int, random: Random) -> Iterator[tuple[Side, Side]]:
    """Yield the order within each pair: A B, B A, A B, ...; chance says who is A.

    A machine that grows slower or faster steadily favours neither side over two pairs.

    Args:
        pairs: How many, 0 or more.
        random: Where the chance comes from.
    """
    first, second = random.sample(list(Side), 2)
    for _ in range(pairs):
        yield first, second
        first, second = second, first


def alternate(
    ours: Callable[[], T],
    peer: Callable[[], T],
    *,
    warmups: int,
    pairs: int,
    random: Random,
) -> tuple[list[T], list[T]]:
    """Measure both sides in alternating pairs.

    Args:
        ours: Measures Cyme once.
        peer: Measures the peer once.
        warmups: How many rounds of each go before, unheeded.
        pairs: How many pairs are kept, 1 or more.
        random: Says who begins.

    Returns:
        Our measurements and the peer's; those of one index were made next to one another.
    """
    measure = {Side.OURS: ours, Side.PEER: peer}
    kept: dict[Side, list[T]] = {Side.OURS: [], Side.PEER: []}
    for _ in range(warmups):
        ours()
        peer()
    for pair in turns(pairs, random):
        for side in pair:
            kept[side].append(measure[side]())
    return kept[Side.OURS], kept[Side.PEER]
