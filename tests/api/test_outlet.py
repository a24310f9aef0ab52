"""One client's end of a stream, over a pair of sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cyme.api.streaming import outlet
from cyme.api.streaming.frames import dropped_frame
from cyme.api.streaming.outlet import STALLED_S_MAX, Outlet
from cyme.testing import FakeClock
from tests.waiting import eventually


class Client:
    """A client and the outlet that writes to it."""

    def __init__(self) -> None:
        self.socket, ours = socket.socketpair()
        self.socket.settimeout(5.0)
        self.gone = 0
        self.outlet = Outlet(ours, self._count, dropped_frame)

    def _count(self) -> None:
        self.gone += 1

    def fill(self) -> int:
        """Write frames until some have to wait; return how many."""
        count = 0
        while not self.outlet._waiting:
            self.outlet.push(b"x" * 1000)
            count += 1
        return count

    def take(self, size: int) -> int:
        """Read so many bytes at most; return how many came."""
        return len(self.socket.recv(size))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setattr(outlet, "KERNEL_BYTES", 8192)
    monkeypatch.setattr(outlet, "WAITING_BYTES_MAX", 4000)
    client = Client()
    yield client
    client.outlet.close()
    client.socket.close()


def test_what_waits_is_sent_when_there_is_room_and_then_there_is_room_again(
    client: Client,
) -> None:
    for _ in range(3):
        sent = client.fill()
        client.outlet.push(b"y" * 2000)
        client.outlet.push(b"z" * 2000, 7)
        expected = 1000 * sent + 2000
        received = b""
        while len(received) < expected:
            received += client.socket.recv(65536)
        lost = dropped_frame(7)
        while len(received) < expected + len(lost):
            received += client.socket.recv(65536)
        assert received == b"x" * 1000 * sent + b"y" * 2000 + lost


def test_a_client_that_takes_something_now_and_then_is_not_let_go(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(outlet, "time", clock)
    client.fill()
    for _ in range(5):
        clock.advance(0.75 * STALLED_S_MAX)
        client.take(65536)
        eventually(lambda: not client.outlet._waiting)
        client.fill()
        client.outlet.push(b"x" * 1000)
        assert client.outlet.is_open
    clock.advance(1.25 * STALLED_S_MAX)
    client.outlet.push(b"x" * 1000)
    assert (client.outlet.is_open, client.gone) == (False, 1)


def test_who_goes_is_noticed_once_and_nothing_is_written_any_more(client: Client) -> None:
    client.fill()
    client.socket.close()
    eventually(lambda: client.gone)
    client.outlet.push(b"x")
    client.outlet.close()
    assert client.gone == 1


def test_closing_it_from_here_calls_nobody(client: Client) -> None:
    client.outlet.close()
    assert client.socket.recv(10) == b""
    assert client.gone == 0


def test_what_was_lost_before_it_came_here_is_told_behind_what_waits(client: Client) -> None:
    client.outlet.lose(3)
    assert client.socket.recv(1000) == dropped_frame(3)
    sent = client.fill()
    client.outlet.lose(4)
    received = b""
    while not received.endswith(dropped_frame(4)):
        received += client.socket.recv(65536)
    assert received == b"x" * 1000 * sent + dropped_frame(4)
