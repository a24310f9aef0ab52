"""The arithmetic of measurements: quantiles, ratios and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import floor

import msgspec


def quantile(samples: Sequence[float], q: float) -> float:
    """Return the ``q`` quantile, interpolated linearly between its neighbours.

    It is type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996), which
    spreadsheets and numpy use too.

    Args:
        samples: At least one, in any order.
        q: 0 for the least, 0.5 for the median, 1 for the greatest.

    Raises:
        ValueError: There is no sample, or ``q`` is not within 0 and 1.
    """
    if not samples or not 0.0 <= q <= 1.0:
        raise ValueError(f"no quantile {q} of {len(samples)} samples")
    ordered = sorted(samples)
    place = q * (len(ordered) - 1)
    below = floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    # Clamped, because rounding may step over a neighbour by one bit.
    return min(max(low + (high - low) * (place - below), low), high)


class Summary(msgspec.Struct, frozen=True):
    """A series in a few figures, in the unit of the series."""

    count: int
    least: float
    median: float
    p99: float
    greatest: float


def summary(samples: Sequence[float]) -> Summary:
    """Return the figures of at least one sample."""
    return Summary(
        count=len(samples),
        least=min(samples),
        median=quantile(samples, 0.5),
        p99=quantile(samples, 0.99),
        greatest=max(samples),
    )


class Series(msgspec.Struct, frozen=True):
    """What was measured, once a round or once a request.

    Attributes:
        name: What it is, unique within its answer.
        unit: ``s``, ``ms``, ``MB``, ``%``, ``/s``.
        samples: In the order in which they were taken; at least one.
        less_is_better: Which way is up.
    """

    name: str
    unit: str
    samples: tuple[float, ...]
    less_is_better: bool = True

    @property
    def summary(self) -> Summary:
        """The series in a few figures."""
        return summary(self.samples)


class Ratio(msgspec.Struct, frozen=True):
    """Cyme's figure divided by its peer's, pair by pair.

    Attributes:
        name: What is compared with what.
        pairs: One ratio for each pair of rounds that were measured next to one another.
    """

    name: str
    pairs: tuple[float, ...]

    @property
    def summary(self) -> Summary:
        """The ratios in a few figures; their least and greatest are the spread."""
        return summary(self.pairs)


def ratio(name: str, ours: Series, peers: Series) -> Ratio:
    """Divide two series that were measured in pairs.

    Raises:
        ValueError: They are not of one length, or a figure of the peer is not above zero.
    """
    if len(ours.samples) != len(peers.samples) or min(peers.samples) <= 0.0:
        raise ValueError(f"{ours.name} and {peers.name} were not measured in pairs")
    return Ratio(name, tuple(a / b for a, b in zip(ours.samples, peers.samples, strict=True)))


class Bar(msgspec.Struct, frozen=True):
    """A figure and the limit that it is held to.

    Attributes:
        name: What is held to it.
        value: The figure.
        limit: The limit, in the same unit.
        unit: The unit, empty for a ratio.
        at_most: Whether the figure may not be above the limit; else it may not be below.
    """

    name: str
    value: float
    limit: float
    unit: str = ""
    at_most: bool = True

    @property
    def holds(self) -> bool:
        """Whether the figure is on the right side of the limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def are_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the middle halves of two series do not meet: a difference, and not only noise."""
    spans = sorted((quantile(samples, 0.25), quantile(samples, 0.75)) for samples in (one, other))
    return all(first[1] < second[0] for first, second in pairwise(spans))
