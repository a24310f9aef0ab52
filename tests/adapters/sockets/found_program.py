# ruff: noqa: E402 - patching comes before all other imports
"""Opens the sockets of a branch and prints when it finds others: SECRET and CLUSTER."""

from gevent import monkey

monkey.patch_all()

import sys
import time

import gevent

from cyme.adapters.sockets import ZmqLinks
from tests.adapters.sockets.ground import Recording


class Printing(Recording):
    def on_found(self, endpoint: str) -> None:
        print("found", endpoint, time.monotonic(), flush=True)  # noqa: T201 - read by the test


def main() -> None:
    secret, cluster = sys.argv[1:]
    links = ZmqLinks("127.0.0.1", 0, secret=secret.encode(), cluster=cluster)
    links.open()
    print("started", links.calls_at, time.monotonic(), flush=True)  # noqa: T201
    links.start(Printing(links))
    gevent.sleep(60)


if __name__ == "__main__":
    main()
