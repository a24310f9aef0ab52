"""Memory and idle processor time of a branch alone, with 0 and with 20 instances."""

from __future__ import annotations

import time
from pathlib import Path

import psutil

from benchmarks.branch import APP, Branch, running_branch
from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Series
from benchmarks.report import Answer
from benchmarks.run import Run

INSTANCES = (0, 20)
MOST_MB = 80.0
MOST_IDLE_PERCENT = 1.0
#: After a change the branch is given so long to come to rest.
REST_S = 5.0
START_TIMEOUT_S = 180.0


def ask(run: Run) -> Answer:
    """Measure the branch's own process, windows at a time, while nobody asks it anything."""
    windows, window_s = run.either((3, 30.0), (1, 10.0))
    run.progress.expect(len(INSTANCES) * (windows + 1))
    series: list[Series] = []
    bars: list[Bar] = []
    with running_branch(run) as branch:
        for instances in INSTANCES:
            run.progress.step(f"bring it to {instances} instances")
            _bring_to(branch, instances)
            time.sleep(REST_S)
            shares, sizes = [], []
            for _ in range(windows):
                run.progress.step(f"watch it with {instances} instances")
                shares.append(_processor_percent(branch.process.pid, window_s))
                sizes.append(_resident_mb(branch.process.pid))
            series += (
                Series(f"resident with {instances} instances", "MB", tuple(sizes)),
                Series(f"processor with {instances} instances", "%", tuple(shares)),
            )
            bars += (
                Bar(f"resident with {instances} instances", max(sizes), MOST_MB, "MB"),
                Bar(
                    f"processor with {instances} instances",
                    series[-1].summary.median,
                    MOST_IDLE_PERCENT,
                    "%",
                ),
            )
    note = f"The branch's process alone; windows of {window_s:.0f} s without any request."
    return Answer("footprint", tuple(series), bars=tuple(bars), notes=(note,))


def _bring_to(branch: Branch, instances: int) -> None:
    names = [f"w{number}" for number in range(instances)]
    for name in names:
        branch.request("PUT", f"/{APP}/instances/{name}/")
    branch.await_states(names, "running", START_TIMEOUT_S)


def _processor_percent(pid: int, window_s: float) -> float:
    """Return the share of one processor that the process takes, its children left out."""
    began, before_s = time.monotonic(), _processor_s(pid)
    time.sleep(window_s)
    return 100.0 * (_processor_s(pid) - before_s) / (time.monotonic() - began)


def _processor_s(pid: int) -> float:
    times = _process(pid).cpu_times()
    return float(times.user + times.system)


def _resident_mb(pid: int) -> float:
    """Return what the kernel counts as resident, in MiB; page by page where it can."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return float(_process(pid).memory_info().rss / 2**20)
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss:")) / 1024


def _process(pid: int) -> psutil.Process:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess as exc:
        raise BenchmarkFailed("The branch ended while it was watched.") from exc
