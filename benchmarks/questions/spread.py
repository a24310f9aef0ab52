"""A write on one branch, until it can be read on four others."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random

from benchmarks.branch import APP, REQUEST_TIMEOUT_S, Branch, running_branches
from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Series, quantile
from benchmarks.report import Answer
from benchmarks.run import Run

IDS = ("one", "two", "three", "four", "five")
MOST_P99_MS = 300.0
WRITES_PER_S = 20.0
#: Whoever reads in vain waits so long before it reads again.
LOOK_S = 0.002
SPREAD_TIMEOUT_S = 30.0


def ask(run: Run) -> Answer:
    """Write at random moments, while a reader at each of the others waits for every write."""
    writes = run.either(1_000, 200)
    run.progress.expect(2)
    run.progress.step(f"start {len(IDS)} branches")
    with running_branches(run, IDS) as (writer, *readers):
        writer.request("PUT", f"/{APP}/")
        for reader in readers:
            reader.await_known(f"/{APP}/", SPREAD_TIMEOUT_S)
        run.progress.step(f"write {writes} times")
        spread_ms, behind_ms = _spread(writer, readers, writes, run.random)
    series = (
        Series("until one other shows it", "ms", tuple(spread_ms)),
        Series("until all others show it", "ms", tuple(behind_ms)),
    )
    note = (
        f"A queue is declared, {WRITES_PER_S:g} times a second at random moments; counted from "
        f"the answer to the write, by readers that look every {1e3 * LOOK_S:g} ms beside the time "
        "that a read takes. What is readable before the answer counts as 0."
    )
    return Answer(
        "spread",
        series,
        bars=(Bar("p99 until all others show it", quantile(behind_ms, 0.99), MOST_P99_MS, "ms"),),
        notes=(note,),
    )


def _spread(
    writer: Branch, readers: Sequence[Branch], writes: int, random: Random
) -> tuple[list[float], list[float]]:
    """Return after how many milliseconds each other showed each write, and the last one did."""
    written: list[Future[float]] = [Future() for _ in range(writes)]
    with ThreadPoolExecutor(len(readers) + 1) as pool:
        shown = [pool.submit(_shown, reader, written) for reader in readers]
        try:
            _write(writer, written, random)
        except BaseException:
            for each in written:
                each.cancel()
            raise
        moments = [each.result() for each in shown]
    spread_ms = [
        [max(0.0, 1e3 * (at - done.result())) for at in each]
        for each, done in zip(zip(*moments, strict=True), written, strict=True)
    ]
    return [each for kept in spread_ms for each in kept], [max(kept) for kept in spread_ms]


def _write(writer: Branch, written: Sequence[Future[float]], random: Random) -> None:
    """Write one after the other, and say of each when it was answered."""
    with _Connection(writer) as connection:
        for number, done in enumerate(written):
            time.sleep(random.expovariate(WRITES_PER_S))
            status = connection.ask("PUT", _path(number))
            if status != http.client.CREATED:
                raise BenchmarkFailed(f"PUT {_path(number)} answered {status}.")
            done.set_result(time.monotonic())


def _shown(reader: Branch, written: Sequence[Future[float]]) -> list[float]:
    """Return when a branch first showed each write."""
    moments = []
    with _Connection(reader) as connection:
        for number, done in enumerate(written):
            deadline = done.result(SPREAD_TIMEOUT_S) + SPREAD_TIMEOUT_S
            while connection.ask("GET", _path(number)) != http.client.OK:
                if time.monotonic() > deadline:
                    raise BenchmarkFailed(f"The branch {reader.id} does not show {_path(number)}.")
                time.sleep(LOOK_S)
            moments.append(time.monotonic())
    return moments


def _path(number: int) -> str:
    return f"/{APP}/queues/q{number}/"


class _Connection:
    """A connection that is kept for many requests."""

    def __init__(self, branch: Branch) -> None:
        self._connection = http.client.HTTPConnection(*branch.address, timeout=REQUEST_TIMEOUT_S)

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, method: str, path: str) -> int:
        """Make a request and return the status of its answer."""
        try:
            self._connection.request(method, path)
            response = self._connection.getresponse()
            response.read()
        except OSError as exc:
            raise BenchmarkFailed(f"No answer to {method} {path}: {exc}") from exc
        return response.status
