"""A small keep-alive HTTP client over raw sockets, meant to run as a process of its own.

It costs the machine as little as it can, so that the server is what is measured. It has two
ways: ``flood`` keeps every connection busy for some seconds; ``probe`` sends at a fixed rate
until its standard input closes, and counts the time from when a request was due, so that a
server that stalls is charged for all the requests that it kept waiting (Tene, "How NOT to
measure latency", 2013).
"""

from __future__ import annotations

import json
import select
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from itertools import count

ANSWER_BYTES_MAX = 1 << 20
ANSWER_TIMEOUT_S = 30.0
_RECEIVE_BYTES = 1 << 16


@dataclass(slots=True)
class Tally:
    """What came of the requests.

    Attributes:
        seconds: From the first request to the last answer.
        latencies_s: Seconds from each request to the end of its answer.
        failed: Answers with a status of 400 or more.
        first_failure: The first of them.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0
    first_failure: str = ""

    def take(self, answer: bytes, latency_s: float) -> None:
        """Count an answer."""
        self.latencies_s.append(latency_s)
        if int(answer[9:12]) >= HTTPStatus.BAD_REQUEST:
            self.failed += 1
            self.first_failure = self.first_failure or answer.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that differ by a number only.

    Attributes:
        method: Their verb.
        path: Their path and query; ``{n}`` becomes the request's number and ``{slot}`` that
            number modulo ``slots``.
        host: The host and port that they name.
        slots: How many slots there are.
    """

    method: str
    path: str
    host: str
    slots: int = 1

    def __getitem__(self, number: int) -> bytes:
        path = self.path.replace("{n}", str(number)).replace("{slot}", str(number % self.slots))
        length = "" if self.method == "GET" else "Content-Length: 0\r\n"
        return f"{self.method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{length}\r\n".encode()


class Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=ANSWER_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._sent_at = 0.0

    def send(self, request: bytes, due_at: float) -> None:
        """Send a request that was due at ``due_at``."""
        self._sent_at = due_at
        self.socket.sendall(request)

    def receive(self, tally: Tally) -> bool:
        """Take what has come; return whether that completed the answer."""
        self._received += self._more()
        end = _end_of_answer(self._received)
        if end is None or len(self._received) < end:
            return False
        tally.take(self._received[:end], time.monotonic() - self._sent_at)
        self._received = self._received[end:]
        return True

    def _more(self) -> bytes:
        more = self.socket.recv(_RECEIVE_BYTES)
        if not more:
            raise ConnectionError("the server closed a connection that was to be kept alive")
        if len(self._received) + len(more) > ANSWER_BYTES_MAX:
            raise ConnectionError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        return more


def _end_of_answer(received: bytes) -> int | None:
    """Return where the answer ends, once its head is complete."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = received[:head_end].lower()
    place = head.find(b"\r\ncontent-length:")
    if place < 0:
        raise ConnectionError("an answer without a Content-Length")
    return head_end + 4 + int(head[place + 17 :].split(b"\r\n", 1)[0])


def flood(
    address: tuple[str, int], requests: Requests, *, connections: int, seconds: float, first: int
) -> Tally:
    """Keep all connections busy for ``seconds``.

    Args:
        address: The server's.
        requests: What to send.
        connections: How many, 1 or more.
        seconds: For how long new requests are sent.
        first: The number of the first request.
    """
    tally = Tally()
    numbers = count(first)
    with selectors.DefaultSelector() as selector:
        made = [Connection(address) for _ in range(connections)]
        began = time.monotonic()
        until = began + seconds
        for connection in made:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(requests[next(numbers)], time.monotonic())
        under_way = connections
        while under_way:
            ready = selector.select(ANSWER_TIMEOUT_S)
            if not ready:
                raise ConnectionError(f"no answer within {ANSWER_TIMEOUT_S} s")
            for key, _ in ready:
                if key.data.receive(tally):
                    now = time.monotonic()
                    if now < until:
                        key.data.send(requests[next(numbers)], now)
                    else:
                        under_way -= 1
        tally.seconds = time.monotonic() - began
        for connection in made:
            connection.socket.close()
    return tally


def probe(address: tuple[str, int], requests: Requests, *, rate: float) -> Tally:
    """Send ``rate`` requests a second until standard input closes, one at a time."""
    tally = Tally()
    connection = Connection(address)
    began = time.monotonic()
    for number in count():
        due_at = began + number / rate
        if select.select([sys.stdin], [], [], max(0.0, due_at - time.monotonic()))[0]:
            break
        connection.send(requests[number], due_at)
        while not connection.receive(tally):
            pass
    tally.seconds = time.monotonic() - began
    connection.socket.close()
    return tally


def main(arguments: Sequence[str]) -> None:
    """Do what the one argument, a JSON object, says, and print the tally as JSON."""
    order = json.loads(arguments[0])
    host, port = order["address"]
    requests = Requests(
        order["method"], order["path"], f"{host}:{port}", slots=order.get("slots", 1)
    )
    if "rate" in order:
        tally = probe((host, port), requests, rate=order["rate"])
    else:
        tally = flood(
            (host, port),
            requests,
            connections=order["connections"],
            seconds=order["seconds"],
            first=order.get("first", 0),
        )
    json.dump(asdict(tally), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
