"""A thousand clients that follow the events of a branch beside a thousand reads a second."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

import psutil

from benchmarks.branch import APP, Branch, running_branch
from benchmarks.failure import BenchmarkFailed
from benchmarks.followers import Followed
from benchmarks.load import PATIENCE_S, Address, probing
from benchmarks.machine import ROOT
from benchmarks.measures import Bar, Series, quantile
from benchmarks.report import Answer
from benchmarks.run import Run

READS_PER_S = 1000.0
EVENTS_PER_S = 5.0
PATH = f"/{APP}/instances/one/"
#: An app without instances, so that to change it starts no worker anew.
CHANGED = "/changed/"

WARMING_READS = 500

MOST_READ_MS = 50.0
MOST_EVENT_MS = 200.0
MOST_KB_A_CLIENT = 25.0

#: What was begun has so long to come to rest, in seconds.
REST_S = 1.0


def ask(run: Run) -> Answer:
    """Follow, change and read at the same time."""
    streams, rounds, seconds = run.either((1000, 3, 8.0), (100, 1, 3.0))
    run.progress.expect(rounds + 3)
    reads_ms: list[float] = []
    events_ms: list[float] = []
    values = cycle((1, 2))
    with running_branch(run) as branch:
        run.progress.step("start a branch with one instance")
        branch.request("PUT", PATH)
        branch.await_states(["one"], "running", timeout_s=60.0)
        branch.request("PUT", CHANGED)
        for _ in range(WARMING_READS):  # a branch that has worked is larger than a new one
            branch.request("GET", PATH)
        run.progress.step("read alone")
        with probing(branch.address, PATH, rate=READS_PER_S) as alone:
            _change(branch, values, seconds)
        before_kb = _resident_kb(branch)
        run.progress.step(f"follow {streams} streams")
        for _ in range(rounds):
            with _following(branch.address, streams) as following:
                time.sleep(REST_S)
                run.progress.step("change and read")
                with probing(branch.address, PATH, rate=READS_PER_S) as probe:
                    changes = _change(branch, values, seconds)
                    time.sleep(REST_S)
                a_client_kb = (_resident_kb(branch) - before_kb) / streams
            followed = following[0]
            _check(followed, streams, changes)
            assert probe.tally is not None
            reads_ms.append(1e3 * quantile(probe.tally.latencies_s, 0.99))
            events_ms.append(1e3 * quantile(followed.latencies_s, 0.99))
    assert alone.tally is not None
    bare = Series(
        "reads without streams, p99", "ms", (1e3 * quantile(alone.tally.latencies_s, 0.99),)
    )
    reads = Series("reads, p99 of a round", "ms", tuple(reads_ms))
    events = Series("events, p99 of a round", "ms", tuple(events_ms))
    sizes = Series("memory a client", "KB", (a_client_kb,))
    note = (
        f"{streams} streams, {EVENTS_PER_S:g} events a second to each, {READS_PER_S:g} reads a "
        f"second; rounds of {seconds:g} s. Clients share the machine with the branch."
    )
    return Answer(
        "events",
        (bare, reads, events, sizes),
        bars=(
            Bar("reads, p99", reads.summary.median, MOST_READ_MS, "ms"),
            Bar("events, p99", events.summary.median, MOST_EVENT_MS, "ms"),
            Bar("memory a client", a_client_kb, MOST_KB_A_CLIENT, "KB"),
        ),
        notes=(note,),
    )


def _change(branch: Branch, values: Iterator[int], seconds: float) -> int:
    """Have something happen at a steady rate; return how often.

    Args:
        branch: Where.
        values: No two of the same value follow each other, as that would change nothing.
        seconds: For how long.
    """
    count = 0
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        branch.request("PUT", f"{CHANGED}?max_concurrency={next(values)}")
        count += 1
        time.sleep(max(0.0, begun + count / EVENTS_PER_S - time.monotonic()))
    return count


def _check(followed: Followed, streams: int, changes: int) -> None:
    if followed.streams < streams or followed.dropped:
        raise BenchmarkFailed(
            f"{followed.streams} of {streams} streams were followed to the end, and "
            f"{followed.dropped} were told of events that were left out."
        )
    least = min(followed.events)
    if least < changes:
        raise BenchmarkFailed(f"{changes} things happened, and a stream told of {least}.")


def _resident_kb(branch: Branch) -> float:
    return float(psutil.Process(branch.process.pid).memory_info().rss) / 1024


@contextmanager
def _following(address: Address, streams: int) -> Iterator[list[Followed]]:
    """Follow streams within a block; behind it stands what came of it."""
    order = {"address": address, "path": "/events/", "streams": streams}
    came: list[Followed] = []
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.followers", json.dumps(order)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as follower:
        try:
            assert follower.stdout is not None
            if follower.stdout.readline().strip() != "ready":
                raise BenchmarkFailed("The streams could not be begun.")
            yield came
            output, _ = follower.communicate(timeout=PATIENCE_S)
            came.append(Followed(**json.loads(output)))
        finally:
            follower.kill()
