"""One instance read over HTTP, beside bare falcon on pywsgi that serves the same JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.branch import APP, HOST, running_branch
from benchmarks.failure import BenchmarkFailed
from benchmarks.http_client import Tally
from benchmarks.load import Address, flood
from benchmarks.machine import ROOT
from benchmarks.measures import Bar, Series, quantile, ratio
from benchmarks.pairing import alternate
from benchmarks.report import Answer
from benchmarks.run import Run

CONNECTIONS = 4
PATH = f"/{APP}/instances/one/"
LEAST_RATIO = 0.7


def ask(run: Run) -> Answer:
    """Measure both in turns with the same client."""
    pairs, seconds = run.either((12, 2.0), (3, 1.0))
    run.progress.expect(2 * (pairs + 1) + 1)
    run.progress.step("start a branch with one instance")
    with running_branch(run) as branch:
        branch.request("PUT", PATH)
        branch.await_states(["one"], "running", timeout_s=60.0)
        with _bare_falcon(branch.instance("one")) as peer:

            def reads_of(name: str, address: Address, path: str) -> Tally:
                run.progress.step(name)
                return flood(address, path, seconds=seconds, connections=CONNECTIONS)

            ours, peers = alternate(
                lambda: reads_of("read an instance", branch.address, PATH),
                lambda: reads_of("read from bare falcon", peer, "/"),
                warmups=1,
                pairs=pairs,
                random=run.random,
            )
    series = (
        _rate("Cyme", ours),
        _rate("bare falcon", peers),
        _latency("Cyme, p99 of a round", ours),
        _latency("bare falcon, p99 of a round", peers),
    )
    compared = ratio("Cyme / bare falcon, reads a second", series[0], series[1])
    note = (
        f"{CONNECTIONS} kept connections, {seconds} s a round; bare falcon serves the branch's "
        "own answer from ready bytes."
    )
    return Answer(
        "read",
        series,
        (compared,),
        (Bar("reads beside bare falcon", compared.summary.median, LEAST_RATIO, at_most=False),),
        (note,),
    )


def _rate(name: str, tallies: list[Tally]) -> Series:
    rates = tuple(len(tally.latencies_s) / tally.seconds for tally in tallies)
    return Series(f"{name}, reads", "/s", rates, less_is_better=False)


def _latency(name: str, tallies: list[Tally]) -> Series:
    return Series(name, "ms", tuple(1e3 * quantile(tally.latencies_s, 0.99) for tally in tallies))


@contextmanager
def _bare_falcon(value: object) -> Iterator[Address]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_falcon"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            json.dump(value, server.stdin)
            server.stdin.close()
            port = server.stdout.readline()
            if not port:
                raise BenchmarkFailed("Bare falcon did not come up.")
            yield HOST, int(port)
        finally:
            server.kill()
