# ruff: noqa: E402 - patching comes before all other imports
"""Listens to ENDPOINTs with SECRET in CLUSTER, stands still, and prints when it hears again."""

from gevent import monkey

monkey.patch_all()

import sys
from collections.abc import Sequence

import gevent
from gevent.event import Event

from cyme.adapters.sockets import ZmqLinks
from tests.adapters.sockets.ground import Recording

#: Longer than a connection on which nothing is acknowledged is kept.
STALL_S = 9.0

#: Blocks the hub, as work that does not switch does.
stand_still = monkey.get_original("time", "sleep")


class Waiting(Recording):
    """Tells when it has heard a word from so many."""

    def __init__(self, links: ZmqLinks, count: int) -> None:
        super().__init__(links)
        self.heard_all = Event()
        self._heard: set[bytes] = set()
        self._count = count

    def on_published(self, frames: Sequence[bytes]) -> None:
        if frames[0] == b"last":
            print("last", flush=True)  # noqa: T201 - read by the test
        self._heard.add(frames[-1])
        if len(self._heard) == self._count:
            self.heard_all.set()


def main() -> None:
    secret, cluster, *endpoints = sys.argv[1:]
    links = ZmqLinks("127.0.0.1", 0, secret=secret.encode(), cluster=cluster, beacon=False)
    inlet = Waiting(links, len(endpoints))
    links.start(inlet)
    links.listen(endpoints)
    inlet.heard_all.wait()
    print("stalls", flush=True)  # noqa: T201
    stand_still(STALL_S)
    print("goes on", flush=True)  # noqa: T201
    gevent.sleep(60)


if __name__ == "__main__":
    main()
