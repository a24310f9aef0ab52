"""A read and a write that must go to the owner, asked of another branch and of the owner itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from benchmarks.branch import APP, Branch, running_branches
from benchmarks.http_client import Tally
from benchmarks.load import flood
from benchmarks.measures import Bar, Series, quantile, ratio
from benchmarks.pairing import alternate
from benchmarks.report import Answer
from benchmarks.run import Run

MOST_MORE_MS = 2.0
KNOWN_TIMEOUT_S = 30.0
OWNER, OTHER = "owner", "other"
READ, WRITTEN = f"/{APP}/instances/read/", f"/{APP}/instances/written/"
#: Each write asks for another concurrency than the one before.
SLOTS = 10
#: Rounds begin far apart, and not with what the one before ended with.
NUMBERS_APART = 1_000_003


@dataclass(frozen=True, slots=True)
class Deed:
    """A request that only the owner can perform.

    Attributes:
        name: What it is called.
        method: Its verb.
        path: Its path and query, as in ``http_client.Requests``.
    """

    name: str
    method: str
    path: str


DEEDS = (
    Deed("read", "GET", f"{READ}events/"),
    Deed("write", "PUT", f"{WRITTEN}autoscale/?min=1&max=1{{slot}}"),
)


def ask(run: Run) -> Answer:
    """Measure both branches in turns, over one kept connection."""
    pairs, seconds = run.either((12, 2.0), (3, 1.0))
    run.progress.expect(len(DEEDS) * 2 * (pairs + 1) + 1)
    run.progress.step("start two branches")
    numbers = count(0, NUMBERS_APART)
    series: list[Series] = []
    bars: list[Bar] = []
    ratios = []
    with running_branches(run, (OWNER, OTHER)) as (owner, other):
        for path in (READ, WRITTEN):
            # Without workers, so that nothing but the requests changes the instances.
            owner.request("PUT", f"{path}?branch={OWNER}&is_enabled=false")
            other.await_known(path, KNOWN_TIMEOUT_S)
        for deed in DEEDS:

            def asked(branch: Branch, deed: Deed = deed) -> Callable[[], Tally]:
                def once() -> Tally:
                    run.progress.step(f"{deed.name} by the {branch.id}")
                    return flood(
                        branch.address,
                        deed.path,
                        method=deed.method,
                        slots=SLOTS,
                        first=next(numbers),
                        seconds=seconds,
                        connections=1,
                    )

                return once

            theirs, own = alternate(
                asked(other), asked(owner), warmups=1, pairs=pairs, random=run.random
            )
            forwarded, here = (
                _medians(f"a forwarded {deed.name}", theirs),
                _medians(f"a {deed.name} at the owner", own),
            )
            series += (forwarded, here, _p99s(f"a forwarded {deed.name}", theirs))
            series.append(_p99s(f"a {deed.name} at the owner", own))
            ratios.append(ratio(f"{deed.name}, forwarded / at the owner", forwarded, here))
            bars.append(_more(deed, forwarded, here))
    note = (
        f"One kept connection, {seconds} s a round. The read is GET {DEEDS[0].path}, one event; "
        "the write is a PUT of autoscale, which both branches make durable before it is answered."
    )
    return Answer("forward", tuple(series), tuple(ratios), tuple(bars), (note,))


def _more(deed: Deed, forwarded: Series, here: Series) -> Bar:
    """Return what the way to the owner adds, at the median of the pairs."""
    more_ms = [a - b for a, b in zip(forwarded.samples, here.samples, strict=True)]
    return Bar(f"what forwarding adds to a {deed.name}", quantile(more_ms, 0.5), MOST_MORE_MS, "ms")


def _medians(name: str, tallies: list[Tally]) -> Series:
    return Series(f"{name}, median of a round", "ms", _quantiles_ms(tallies, 0.5))


def _p99s(name: str, tallies: list[Tally]) -> Series:
    return Series(f"{name}, p99 of a round", "ms", _quantiles_ms(tallies, 0.99))


def _quantiles_ms(tallies: list[Tally], q: float) -> tuple[float, ...]:
    return tuple(1e3 * quantile(tally.latencies_s, q) for tally in tallies)
