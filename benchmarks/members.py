"""Members of a cluster without the rest of a branch, some to a process: see ``member_program``."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.failure import BenchmarkFailed
from benchmarks.machine import ROOT

#: Members that share a process, and a hub.
PER_PROCESS = 10

POLL_S = 0.2
ANSWER_TIMEOUT_S = 60.0
END_TIMEOUT_S = 15.0
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What some members have taken since the start, in all.

    Attributes:
        at: When that was (monotonic seconds).
        processor_s: Processor seconds of their processes.
        sent: Bytes on TCP connections, without the headers of TCP and IP.
        received: Likewise.
        messages_sent: Messages that a socket took; one that is published counts once.
        messages_received: Messages that came in.
        dropped: Messages that could not be sent.
        beacons_heard: Datagrams of the beacon that came in.
    """

    at: float
    processor_s: float
    sent: int
    received: int
    messages_sent: int
    messages_received: int
    dropped: int
    beacons_heard: int


@dataclass(slots=True)
class Group:
    """Members that share a process.

    Attributes:
        names: Their ids.
        process: Their process.
        starts_at: When they began to take part (monotonic seconds).
    """

    names: tuple[str, ...]
    process: subprocess.Popen[bytes]
    starts_at: float = 0.0
    _received: bytes = field(default=b"", repr=False)

    def ask(self, order: str) -> Any:
        """Have an order carried out and return the answer.

        Raises:
            BenchmarkFailed: The process ended, or does not answer.
        """
        self.tell(order)
        return self.answer()

    def tell(self, order: str) -> None:
        """Give an order, and wait for nothing."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(f"{order}\n".encode())
            self.process.stdin.flush()
        except OSError as exc:
            raise BenchmarkFailed(f"The members {', '.join(self.names)} ended: {exc}") from exc

    def answer(self) -> Any:
        """Return the next answer.

        Raises:
            BenchmarkFailed: As in ``ask``.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while b"\n" not in self._received:
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self.process.stdout], [], [], left_s)[0]:
                raise BenchmarkFailed(f"The members {', '.join(self.names)} do not answer.")
            more = os.read(self.process.stdout.fileno(), _READ_BYTES)
            if not more:
                raise BenchmarkFailed(f"The members {', '.join(self.names)} ended.")
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)

    def kill(self) -> float:
        """Kill them all at once; return when that was (monotonic seconds)."""
        at = time.monotonic()
        self.process.kill()
        self.process.wait(END_TIMEOUT_S)
        return at


class Members:
    """The members of one cluster.

    Args:
        random: Makes the cluster's name and secret, so that it meets no other one.
        instances: How many instances each member has once it is filled.
    """

    def __init__(self, random: Random, *, instances: int = 0) -> None:
        self._cluster = f"bench-{random.getrandbits(64):x}-{time.time_ns():x}"
        self._secret = random.randbytes(32).hex()
        self._instances = instances
        self.groups: list[Group] = []

    def start(self, names: Sequence[str], *, boot: int = 1) -> Group:
        """Start members in one more process, and return when they have begun.

        Raises:
            BenchmarkFailed: They do not start.
        """
        order = {
            "names": list(names),
            "boot": boot,
            "cluster": self._cluster,
            "secret": self._secret,
            "instances": self._instances,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.member_program", json.dumps(order)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        group = Group(tuple(names), process)
        self.groups.append(group)
        group.starts_at = group.answer()["starts_at"]
        return group

    def kill(self, group: Group) -> float:
        """Kill the members of a process; return when that was (monotonic seconds)."""
        self.groups.remove(group)
        return group.kill()

    def ask(self, order: str) -> list[Any]:
        """Have all processes carry out an order, and return their answers."""
        for group in self.groups:
            group.tell(order)
        return [group.answer() for group in self.groups]

    def cost(self) -> Cost:
        """Return what all of them have taken since the start."""
        costs = self.ask("cost")
        return Cost(
            at=max(cost.pop("at") for cost in costs),
            **{name: sum(cost[name] for cost in costs) for name in costs[0]},
        )

    def await_settled(self, timeout_s: float) -> None:
        """Wait until all hold all to be alive, and know the same.

        Raises:
            BenchmarkFailed: They do not, in time.
        """

        def settled() -> bool:
            looks = [look for group in self.ask("look") for look in group]
            alive = {look["alive"] for look in looks}
            return alive == {len(looks)} and len({look["digest"] for look in looks}) == 1

        await_true(settled, timeout_s, "The members have not come to know the same")

    def end(self) -> None:
        """End all of them."""
        for group in self.groups:
            group.process.kill()
        for group in self.groups:
            group.process.wait(END_TIMEOUT_S)
            for stream in (group.process.stdin, group.process.stdout):
                assert stream is not None
                with suppress(BrokenPipeError):  # an order that was not read any more
                    stream.close()


@contextmanager
def running_members(random: Random, count: int, *, instances: int = 0) -> Iterator[Members]:
    """Run members of a cluster, ``PER_PROCESS`` to a process; they are gone afterwards.

    Raises:
        BenchmarkFailed: They do not start.
    """
    shares = [
        names(first, min(first + PER_PROCESS, count)) for first in range(0, count, PER_PROCESS)
    ]
    with _running(Members(random, instances=instances), shares) as members:
        yield members


@contextmanager
def running_members_apart(random: Random, ids: Sequence[str]) -> Iterator[Members]:
    """Run members of a cluster, each in a process of its own; they are gone afterwards.

    Raises:
        BenchmarkFailed: They do not start.
    """
    with _running(Members(random), [[each] for each in ids]) as members:
        yield members


@contextmanager
def _running(members: Members, shares: Sequence[Sequence[str]]) -> Iterator[Members]:
    try:
        for share in shares:
            members.start(share)
        yield members
    finally:
        members.end()


def names(first: int, end: int) -> list[str]:
    """Return the ids of members by their numbers."""
    return [f"m{number}" for number in range(first, end)]


def await_true(predicate: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    """Wait until something is true.

    Raises:
        BenchmarkFailed: It is not, in time.
    """
    deadline = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{otherwise} within {timeout_s:g} s.")
        time.sleep(POLL_S)
