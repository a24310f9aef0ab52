"""Twenty instances created in one burst until each answers, beside one ``celery multi start``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from benchmarks.branch import APP, BRANCH_ID, Branch, running_branch
from benchmarks.load import probing
from benchmarks.measures import Bar, Series, quantile, ratio
from benchmarks.multi import started_by_multi
from benchmarks.pairing import alternate
from benchmarks.pings import await_pongs
from benchmarks.report import Answer
from benchmarks.run import Run

INSTANCES = 20
MOST_RATIO = 0.6
MOST_P99_MS = 100.0
PROBES_PER_S = 20.0
PROBED = f"/{APP}/"
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 120.0


def ask(run: Run) -> Answer:
    """Start the workers both ways in turns, on the same broker, with the same pool."""
    pairs = run.either(3, 1)
    run.progress.expect(2 * pairs + 1)
    run.progress.step("start a branch")
    rounds = count()
    latencies_ms: list[float] = []
    with running_branch(run) as branch:
        branch.request("PUT", f"/{APP}/")

        def by_cyme() -> float:
            run.progress.step(f"create {INSTANCES} instances")
            names = list(_names(next(rounds)))
            with probing(branch.address, PROBED, rate=PROBES_PER_S) as probe:
                took_s = _burst(branch, names)
            assert probe.tally is not None
            latencies_ms.extend(1e3 * latency_s for latency_s in probe.tally.latencies_s)
            _delete(branch, names)
            return took_s

        def by_multi() -> float:
            run.progress.step(f"celery multi start of {INSTANCES}")
            number = next(rounds)
            directory = run.directory / f"multi-{number}"
            directory.mkdir()
            began = time.monotonic()
            with started_by_multi(list(_names(number)), branch.broker_url, directory) as nodes:
                await_pongs(branch.broker_url, nodes, START_TIMEOUT_S)
                return time.monotonic() - began

        ours, peers = alternate(by_cyme, by_multi, warmups=0, pairs=pairs, random=run.random)
    return _answer(ours, peers, latencies_ms)


def _answer(ours: list[float], peers: list[float], latencies_ms: list[float]) -> Answer:
    series = (
        Series(f"Cyme, {INSTANCES} instances answer", "s", tuple(ours)),
        Series(f"celery multi, {INSTANCES} nodes answer", "s", tuple(peers)),
        Series("the API meanwhile", "ms", tuple(round(each, 3) for each in latencies_ms)),
    )
    compared = ratio("Cyme / celery multi, until all answer", series[0], series[1])
    note = (
        f"Pool prefork with one process each; {PROBES_PER_S:.0f} probes a second of GET {PROBED}, "
        "counted from when they were due."
    )
    return Answer(
        "burst",
        series,
        (compared,),
        (
            Bar("time beside celery multi", compared.summary.median, MOST_RATIO),
            Bar("p99 of the API beside the load", quantile(latencies_ms, 0.99), MOST_P99_MS, "ms"),
        ),
        (note,),
    )


def _names(number: int) -> Iterator[str]:
    return (f"b{number}-{each}" for each in range(INSTANCES))


def _burst(branch: Branch, names: list[str]) -> float:
    """Create all the instances at once and return the seconds until each answered a ping."""
    nodes = [f"{name}@{BRANCH_ID}" for name in names]
    began = time.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: branch.request("PUT", f"/{APP}/instances/{name}/"), names))
    await_pongs(branch.broker_url, nodes, START_TIMEOUT_S)
    return time.monotonic() - began


def _delete(branch: Branch, names: list[str]) -> None:
    for name in names:
        branch.request("DELETE", f"/{APP}/instances/{name}/")
    branch.await_no_workers(STOP_TIMEOUT_S)
