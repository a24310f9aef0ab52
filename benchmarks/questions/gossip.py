"""What the cluster costs each member while nothing happens: processor time and bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.measures import Bar, Ratio, Series, ratio
from benchmarks.members import PER_PROCESS, Cost, Members, running_members
from benchmarks.report import Answer
from benchmarks.run import Run

#: The size that the bars are for, and the one that it is compared with.
BARRED, SMALL = 50, 10
MOST_PERCENT = 1.0
MOST_KB_PER_S = 5.0

#: Instances of each member, all running.
INSTANCES = 20
SETTLE_TIMEOUT_S = 240.0
#: Connections close after a minute without use; before that there are more than there need be.
REST_S, REST_QUICK_S = 75.0, 20.0
#: The counts are taken so often, as a connection that closes takes its own along.
COUNT_S = 5.0


@dataclass(slots=True)
class Windows:
    """What a member took, one figure a window.

    Attributes:
        percent: Of a processor.
        sent: Kilobytes a second.
        received: Likewise.
        messages: Messages that came in, a second.
    """

    percent: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    messages: list[float] = field(default_factory=list)

    def add(self, before: Cost, after: Cost, count: int) -> None:
        """Add a window of ``count`` members."""
        shares = count * (after.at - before.at)
        self.percent.append(100.0 * (after.processor_s - before.processor_s) / shares)
        self.sent.append((after.sent - before.sent) / 1e3 / shares)
        self.received.append((after.received - before.received) / 1e3 / shares)
        self.messages.append((after.messages_received - before.messages_received) / shares)

    def series(self, count: int) -> tuple[Series, ...]:
        """Return them by name, the processor first."""
        return (
            Series(f"processor of one of {count}", "%", tuple(self.percent)),
            Series(f"sent by one of {count}", "kB/s", tuple(self.sent)),
            Series(f"received by one of {count}", "kB/s", tuple(self.received)),
            Series(f"messages to one of {count}", "/s", tuple(self.messages)),
        )


def ask(run: Run) -> Answer:
    """Measure clusters of several sizes, one after the other."""
    counts = run.either((SMALL, BARRED, 100), (SMALL, BARRED))
    windows, window_s = run.either((3, 30.0), (1, 10.0))
    run.progress.expect(len(counts) * (windows + 1))
    found = {}
    for count in counts:
        run.progress.step(f"bring {count} members to rest")
        with running_members(run.random, count, instances=INSTANCES) as members:
            _settle(members, run.either(REST_S, REST_QUICK_S))
            found[count] = Windows()
            for _ in range(windows):
                run.progress.step(f"watch {count} members")
                found[count].add(*_watched(members, window_s), count)
    return _answer(found, window_s)


def _answer(found: dict[int, Windows], window_s: float) -> Answer:
    series = {count: windows.series(count) for count, windows in found.items()}
    processor, sent, received, _ = series[BARRED]
    bars = (
        Bar(processor.name, processor.summary.median, MOST_PERCENT, "%"),
        Bar(sent.name, sent.summary.median, MOST_KB_PER_S, "kB/s"),
        Bar(received.name, received.summary.median, MOST_KB_PER_S, "kB/s"),
    )
    note = (
        f"The node, driver and sockets of branches, {PER_PROCESS} to a process, each with "
        f"{INSTANCES} instances; windows of {window_s:g} s. Bytes as the kernel counts them on the "
        "TCP connections, encryption included, headers and beacons not. The sizes "
        "were measured one after the other, not in turns."
    )
    return Answer(
        "gossip",
        tuple(each for kept in series.values() for each in kept),
        tuple(_growth(series[count], series[SMALL], count) for count in series if count != SMALL),
        bars,
        (note,),
    )


def _growth(large: tuple[Series, ...], small: tuple[Series, ...], count: int) -> Ratio:
    """Return what a member of the larger cluster takes beside one of the smaller."""
    return ratio(f"processor, one of {count} / one of {SMALL}", large[0], small[0])


def _settle(members: Members, rest_s: float) -> None:
    """Fill the members, wait until all know the same, and let them come to rest."""
    members.await_settled(SETTLE_TIMEOUT_S)
    members.ask("fill")
    members.await_settled(SETTLE_TIMEOUT_S)
    time.sleep(rest_s)


def _watched(members: Members, window_s: float) -> tuple[Cost, Cost]:
    """Return the costs at the beginning and at the end of a window."""
    before = after = members.cost()
    while (left_s := before.at + window_s - time.monotonic()) > 0:
        time.sleep(min(COUNT_S, left_s))
        after = members.cost()
    return before, after
