# ruff: noqa: E402 - patching comes before all other imports
"""Some members of a cluster in one process: the real node, driver and sockets, nothing else.

They have no HTTP server, no workers and no disk, so that a machine bears far more of them than
branches, and what is measured is what the cluster costs. Its one argument is a JSON object; then
it answers every line on its standard input, a word, with one line of JSON, until that closes::

    look    how many others each holds to be alive, and the digest of what it knows
    fill    put its instances on each member, and say that they run
    cost    processor seconds, bytes and messages since the start
    news    what each has noticed of other branches since it was asked last
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict

from gevent.fileobject import FileObject

from benchmarks.wire_bytes import WireBytes
from cyme.adapters.clock import SystemClock
from cyme.adapters.sockets import ZmqLinks
from cyme.core.branches import BranchState
from cyme.core.cluster.members import Profile
from cyme.core.cluster.node import NodeSettings
from cyme.core.events import Event
from cyme.core.model import AppName, BranchId, Instance, InstanceName, WorkerSpec
from cyme.core.status import InstanceState, InstanceStatus
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.driver import Driver
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.testing import MemoryStore

HOST = "127.0.0.1"
FILL_TIMEOUT_S = 30.0


class Member:
    """A branch as the cluster knows it.

    Args:
        name: Its id.
        boot: Which of its lives this is.
        cluster: The name of the cluster.
        secret: What the cluster shares.

    Attributes:
        noticed: What it noticed of other branches: the kind, the branch, when (monotonic seconds).
    """

    def __init__(self, name: str, boot: int, cluster: str, secret: bytes) -> None:
        self.name = name
        self.noticed: list[tuple[str, str, float]] = []
        self.links = ZmqLinks(HOST, 0, secret=secret, cluster=cluster)
        self.links.open()
        self._clock = SystemClock()
        self._replica = Replica(MemoryStore(), self._clock, name)
        journal = Journal(self._clock)
        journal.subscribe(self._notice)
        self.driver = Driver(
            NodeSettings(
                branch=BranchId(name),
                boot=boot,
                profile=Profile(
                    calls_at=self.links.calls_at,
                    beats_at=self.links.beats_at,
                    nonce=f"{name}.{boot}",
                ),
                seed=zlib.crc32(f"{name}.{boot}".encode()),
                size_of=wire.size_of,
            ),
            cluster=wire.cluster_tag(cluster),
            links=self.links,
            replica=self._replica,
            journal=journal,
            clock=self._clock,
            remember=lambda _: None,
            on_halt=sys.exit,
        )

    def look(self) -> dict[str, object]:
        """Tell what it knows."""
        node = self.driver.node
        alive = [word for word in node.statements() if word.state is BranchState.ALIVE]
        return {"alive": len(alive), "digest": f"{node.digest:016x}"}

    def fill(self, count: int) -> None:
        """Put instances on it, and say that they run."""
        records = [self._instance(number) for number in range(count)]
        if records:
            self._replica.commit(records, FILL_TIMEOUT_S)
        running = InstanceStatus(
            state=InstanceState.RUNNING, reason="it answers", pids=(4711, 4712)
        )
        for record in records:
            self.driver.on_status(record.name, running)

    def _instance(self, number: int) -> Instance:
        here, now = BranchId(self.name), self._clock.wall()
        return Instance(
            name=InstanceName(f"{self.name}-{number}"),
            app=AppName("bench"),
            home=here,
            owner=here,
            stamp=self._replica.next_stamp(),
            spec=WorkerSpec(),
            created_at=now,
            updated_at=now,
        )

    def _notice(self, event: Event) -> None:
        if event.kind.startswith("branch."):
            self.noticed.append((event.kind, str(event.data.get("branch", "")), time.monotonic()))


class Members:
    """All members of this process.

    Args:
        names: Their ids.
        boot: Which of their lives this is.
        cluster: The name of the cluster.
        secret: What the cluster shares.
        instances: How many instances each has once it is filled.
    """

    def __init__(
        self, names: list[str], boot: int, cluster: str, secret: str, instances: int
    ) -> None:
        self._members = [Member(name, boot, cluster, secret.encode()) for name in names]
        self._instances = instances
        self._bytes = WireBytes()
        self.orders: dict[str, Callable[[], object]] = {
            "look": self._look,
            "fill": self._fill,
            "cost": self._cost,
            "news": self._news,
        }

    def start(self) -> None:
        """Have them take part."""
        for member in self._members:
            member.driver.start()

    def _look(self) -> object:
        return [member.look() for member in self._members]

    def _fill(self) -> object:
        for member in self._members:
            member.fill(self._instances)
        return None

    def _cost(self) -> object:
        traffic = [member.links.traffic for member in self._members]
        return {
            "at": time.monotonic(),
            "processor_s": time.process_time(),
            **asdict(self._bytes.counted()),
            "messages_sent": sum(each.sent for each in traffic),
            "messages_received": sum(each.received for each in traffic),
            "dropped": sum(each.dropped for each in traffic),
            "beacons_heard": sum(each.beacons_heard for each in traffic),
        }

    def _news(self) -> object:
        told = {}
        for member in self._members:
            told[member.name], member.noticed = member.noticed, []
        return told


def main() -> None:
    """Be some members until standard input closes."""
    members = Members(**json.loads(sys.argv[1]))
    print(json.dumps({"starts_at": time.monotonic()}), flush=True)
    members.start()
    for line in FileObject(sys.stdin.fileno(), "r", close=False):
        print(json.dumps(members.orders[line.strip()]()), flush=True)


if __name__ == "__main__":
    main()
