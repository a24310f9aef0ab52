"""How soon all members know that one died by SIGKILL, and that one came."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from random import Random

from benchmarks.failure import BenchmarkFailed
from benchmarks.measures import Bar, Series, quantile
from benchmarks.members import POLL_S, Group, Members, names, running_members_apart
from benchmarks.report import Answer
from benchmarks.run import Run

MEMBERS = 10
MOST_FAILED_S = 10.0
MOST_KNOWN_S = 1.0
TIMEOUT_S = 60.0
#: So long all is quiet before a member is killed, and as much again by chance, so that it does
#: not die at the same moment of its period each time.
QUIET_S = 5.0
CHANCE_S = 1.0

FAILED = frozenset({"branch.failed"})
CAME = frozenset({"branch.joined", "branch.returned"})

#: Of every member: what it noticed of which branch, and when.
News = Mapping[str, list[tuple[str, str, float]]]


def ask(run: Run) -> Answer:
    """Kill a member and start it again, time after time."""
    rounds = run.either(20, 4)
    run.progress.expect(2 * rounds + 1)
    run.progress.step(f"start {MEMBERS} members")
    failed_s: list[float] = []
    known_s: list[float] = []
    accused: list[str] = []
    with running_members_apart(run.random, names(0, MEMBERS)) as members:
        members.await_settled(TIMEOUT_S)
        for boot in range(2, rounds + 2):
            run.progress.step("kill a member")
            group = _chosen(members, run.random)
            at = members.kill(group)
            news = _noticed(members, group, FAILED)
            failed_s += _delays_s(news, FAILED, group, at)
            accused += _wrongly_accused(news, group)
            run.progress.step("start it again")
            group = members.start(group.names, boot=boot)
            news = _noticed(members, group, CAME)
            known_s += _delays_s(news, CAME, group, group.starts_at)
            members.await_settled(TIMEOUT_S)
    return _answer(failed_s, known_s, accused)


def _answer(failed_s: list[float], known_s: list[float], accused: list[str]) -> Answer:
    series = (
        Series("killed until one other holds it to have failed", "s", tuple(failed_s)),
        Series("started until one other knows it", "s", tuple(known_s)),
    )
    bars = (
        Bar("killed until all hold it to have failed", max(failed_s), MOST_FAILED_S, "s"),
        Bar("p99, started until known", quantile(known_s, 0.99), MOST_KNOWN_S, "s"),
        Bar("living members held to have failed", float(len(accused)), 0.0),
    )
    note = (
        f"{MEMBERS} members, each a process of its own with the node, driver and sockets of a "
        "branch. A start is counted from the first word that the new life says, not from the "
        "start of its interpreter."
    )
    return Answer("converge", series, bars=bars, notes=(note,))


def _chosen(members: Members, random: Random) -> Group:
    """Wait until all is quiet, forget what was noticed, and choose whom to kill."""
    time.sleep(QUIET_S + random.uniform(0.0, CHANCE_S))
    members.ask("news")
    return random.choice(members.groups)


def _noticed(members: Members, group: Group, kinds: Collection[str]) -> News:
    """Wait until all others have noticed something of a member; return all that they noticed.

    Raises:
        BenchmarkFailed: Some have not, in time.
    """
    observers = {name for each in members.groups if each is not group for name in each.names}
    kept: dict[str, list[tuple[str, str, float]]] = {name: [] for name in observers}
    deadline = time.monotonic() + TIMEOUT_S
    while not all(_moments(told, kinds, group) for told in kept.values()):
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"Not all have noticed {', '.join(sorted(kinds))} in time.")
        time.sleep(POLL_S)
        for news in members.ask("news"):
            for name, told in news.items():
                if name in kept:
                    kept[name] += [tuple(each) for each in told]
    return kept


def _delays_s(news: News, kinds: Collection[str], group: Group, since: float) -> list[float]:
    """Return after how many seconds each first noticed it."""
    return [min(_moments(told, kinds, group)) - since for told in news.values()]


def _moments(
    told: list[tuple[str, str, float]], kinds: Collection[str], group: Group
) -> list[float]:
    return [at for kind, branch, at in told if kind in kinds and branch in group.names]


def _wrongly_accused(news: News, group: Group) -> list[str]:
    """Return the members that were held to have failed and had not."""
    return [
        branch
        for told in news.values()
        for kind, branch, _ in told
        if kind in FAILED and branch not in group.names
    ]
