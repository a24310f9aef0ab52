"""A durable write over HTTP by 1 and by 64 clients, beside SQLite's own durable commits."""

from __future__ import annotations

import sqlite3
import time
from itertools import count
from pathlib import Path

from benchmarks.branch import APP, running_branch
from benchmarks.http_client import Tally
from benchmarks.load import flood
from benchmarks.measures import Series, quantile, ratio
from benchmarks.report import Answer
from benchmarks.run import Run

#: So many queues are written over and over, each time with another routing key.
SLOTS = 256
PATH = f"/{APP}/queues/q{{slot}}/?routing_key=r{{n}}"
CLIENTS = (1, 64)
#: Rounds have numbers far apart, so that no write repeats what is stored.
NUMBERS_APART = 1_000_000


def ask(run: Run) -> Answer:
    """Measure all three in turns."""
    rounds, seconds = run.either((6, 3.0), (2, 1.0))
    run.progress.expect(1 + (rounds + 1) * (len(CLIENTS) + 1))
    run.progress.step("start a branch")
    numbers = count(0, NUMBERS_APART)
    commits: list[float] = []
    tallies: dict[int, list[Tally]] = {clients: [] for clients in CLIENTS}
    with running_branch(run) as branch:
        branch.request("PUT", f"/{APP}/")

        def measure_commits() -> None:
            run.progress.step("commit in SQLite")
            commits.append(_commits_per_s(run.directory / "ceiling.db", seconds))

        def measure_writes(clients: int) -> None:
            run.progress.step(f"write by {clients}")
            tallies[clients].append(
                flood(
                    branch.address,
                    PATH,
                    method="PUT",
                    slots=SLOTS,
                    first=next(numbers),
                    seconds=seconds,
                    connections=clients,
                )
            )

        turns = [measure_commits, *(lambda each=each: measure_writes(each) for each in CLIENTS)]
        for number in range(rounds + 1):
            for turn in turns if number % 2 else reversed(turns):
                turn()
    return _answer(commits[1:], {clients: kept[1:] for clients, kept in tallies.items()}, seconds)


def _answer(commits: list[float], tallies: dict[int, list[Tally]], seconds: float) -> Answer:
    ceiling = Series("bare SQLite, commits", "/s", tuple(commits), less_is_better=False)
    series = [ceiling]
    ratios = []
    for clients, kept in tallies.items():
        who = f"{clients} client{'s' if clients > 1 else ''}"
        rates = tuple(len(tally.latencies_s) / tally.seconds for tally in kept)
        writes = Series(f"{who}, writes", "/s", rates, less_is_better=False)
        series.append(writes)
        for name, q in (("median", 0.5), ("p99", 0.99)):
            latencies = tuple(1e3 * quantile(tally.latencies_s, q) for tally in kept)
            series.append(Series(f"{who}, {name} of a round", "ms", latencies))
        ratios.append(ratio(f"{who} / bare SQLite", writes, ceiling))
    note = (
        f"Each write changes one of {SLOTS} queues; rounds of {seconds} s in turns; SQLite commits "
        "one row at a time with WAL and synchronous=FULL on the same disk."
    )
    return Answer(
        "write",
        tuple(series),
        tuple(ratios),
        notes=(note,),
    )


def _commits_per_s(path: Path, seconds: float) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, body TEXT)")
        began = time.monotonic()
        done = 0
        while time.monotonic() - began < seconds:
            connection.execute(
                "INSERT OR REPLACE INTO queue VALUES (?, ?)", (f"q{done % SLOTS}", f"r{done}" * 20)
            )
            done += 1
        return done / (time.monotonic() - began)
    finally:
        connection.close()
