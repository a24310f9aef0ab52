from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from benchmarks.wire_bytes import Bytes, WireBytes
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts them")

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def connection() -> Iterator[Pair]:
    """Yield both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.create_connection(listener.getsockname())
        called, _ = listener.accept()
    with caller, called:
        yield caller, called


def transfer(connection: Pair, count: int) -> None:
    sender, receiver = connection
    sender.sendall(b"x" * count)
    left = count
    while left:
        left -= len(receiver.recv(left))


def more(counted: WireBytes, before: Bytes) -> tuple[int, int]:
    after = counted.counted()
    return after.sent - before.sent, after.received - before.received


def test_counts_both_ends_of_what_passes_a_connection(connection: Pair) -> None:
    counted = WireBytes()
    before = counted.counted()
    transfer(connection, 1000)
    eventually(lambda: more(counted, before) == (1000, 1000))
    transfer(connection, 500)
    eventually(lambda: more(counted, before) == (1500, 1500))


def test_what_passed_a_closed_connection_stays_counted(connection: Pair) -> None:
    counted = WireBytes()
    before = counted.counted()
    transfer(connection, 1000)
    eventually(lambda: more(counted, before) == (1000, 1000))
    for end in connection:
        end.close()
    assert more(counted, before) == (1000, 1000)
    assert more(counted, before) == (1000, 1000)


def test_counts_no_sockets_but_tcp() -> None:
    counted = WireBytes()
    before = counted.counted()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        one.sendto(b"x" * 100, one.getsockname())
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"x" * 100)
            assert more(counted, before) == (0, 0)
