"""Sends what no branch would send; its arguments are ENDPOINT, SECRET, CLUSTER and a deed."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import zmq

from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.options import Socket

#: What is sent when the deed is done; it is answered. Until then the connection is kept: what a
#: peer has not read yet is lost with it.
LAST = [b"ping", b"that was it"]
ANSWER_MS = 60_000

GIANT_BYTES = 200 * 1024 * 1024
PARTS = 200_000
MESSAGES = 100_000
FRAMES_MAX = 20
FRAME_BYTES_MAX = 300
GIANT_MS = 3_000


def giant(dealer: Socket) -> None:
    """Send a frame of 200 MiB; the connection is closed, and opened again, and so on."""
    dealer.send(bytes(GIANT_BYTES))
    dealer.poll(GIANT_MS)
    dealer.linger = 0


def parts(dealer: Socket) -> None:
    """Send one message of very many frames."""
    dealer.send_multipart([b"part"] * PARTS)


def flood(dealer: Socket) -> None:
    """Send very many messages as fast as it goes."""
    for _ in range(MESSAGES):
        dealer.send(b"x" * 100)


def noise(dealer: Socket) -> None:
    """Send messages of random frames; the seed is in the endpoint's port."""
    dice = random.Random(dealer.last_endpoint)
    for _ in range(MESSAGES // 10):
        count = dice.randrange(1, FRAMES_MAX)
        dealer.send_multipart(
            [dice.randbytes(dice.randrange(FRAME_BYTES_MAX)) for _ in range(count)]
        )


DEEDS: dict[str, Callable[[Socket], None]] = {
    deed.__name__: deed for deed in (giant, parts, flood, noise)
}


def main() -> None:
    endpoint, secret, cluster, deed = sys.argv[1:]
    context: zmq.Context[Socket] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    Keys.derived(secret.encode(), cluster).secure_client(dealer)
    dealer.sndhwm = 0
    dealer.connect(endpoint)
    DEEDS[deed](dealer)
    if deed != giant.__name__:
        dealer.send_multipart(LAST)
        dealer.poll(ANSWER_MS)
    dealer.close()
    context.term()


if __name__ == "__main__":
    main()
