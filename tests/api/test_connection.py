from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest

from cyme.api import connection as connections
from cyme.api.connection import CHUNK_BYTES_LEAST, CHUNKS_MAX, Body, Connection, Patience
from cyme.api.problems import Refusal
from tests.api.echo import echo, serving
from tests.api.wire import RawClient

#: So often somebody works for so long without a pause while timers are counted, in seconds: less
#: often than gevent lets others run who are ready before it looks at timers.
TIMES = 40
WORK_S = 0.003


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Connection]]:
    """A client's socket, and the server's connection at its other end."""
    client, server = socket.socketpair()
    yield client, Connection(server, Patience(idle_s=0.5, head_s=0.5, body_s=0.5, linger_s=0.5))
    client.close()
    server.close()


def work() -> None:
    """Hold the process for a while."""
    ends = time.perf_counter() + WORK_S
    while time.perf_counter() < ends:
        pass


@contextmanager
def timer_turns() -> Iterator[Callable[[], int]]:
    """Count how often a timer of a millisecond fires."""
    turns = 0

    def count() -> None:
        nonlocal turns
        while True:
            gevent.sleep(0.001)
            turns += 1

    counting = gevent.spawn(count)
    try:
        yield lambda: turns
    finally:
        counting.kill()


def test_a_body_reads_as_wsgi_demands(pair: tuple[socket.socket, Connection]) -> None:
    client, connection = pair
    client.sendall(b"ab\ncd\n\nef" + b"one\ntwo")
    body = Body(connection, 9, expects_continue=False)
    assert (body.readline(), body.readline(1), body.readline()) == (b"ab\n", b"c", b"d\n")
    assert list(body) == [b"\n", b"ef"]
    assert (body.read(), body.readline()) == (b"", b"")
    assert Body(connection, 7, expects_continue=False).readlines() == [b"one\n", b"two"]


def test_a_body_can_be_read_in_parts(pair: tuple[socket.socket, Connection]) -> None:
    client, connection = pair
    client.sendall(b"4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\nnext")
    body = Body(connection, None, expects_continue=False)
    assert (body.read(3), body.read(3), body.is_finished) == (b"abc", b"def", False)
    assert (body.read(3), body.is_finished) == (b"g", True)
    assert connection.read(4, connection.body_deadline()) == b"next"


def test_a_client_that_goes_away_within_its_body_is_refused(
    pair: tuple[socket.socket, Connection],
) -> None:
    client, connection = pair
    body = Body(connection, 9, expects_continue=True)
    client.close()
    with pytest.raises(Refusal):
        body.read()
    assert not body.can_be_swallowed


def test_a_body_may_have_a_chunk_more_for_every_so_many_bytes() -> None:
    client, server = socket.socketpair()
    connection = Connection(server, Patience(body_s=60.0))
    size, count = CHUNK_BYTES_LEAST, CHUNKS_MAX + 100
    chunks = (f"{size:x}\r\n".encode() + b"a" * size + b"\r\n") * count
    sender = threading.Thread(target=client.sendall, args=(chunks + b"0\r\n\r\n",))
    sender.start()
    assert len(Body(connection, None, expects_continue=False).read()) == size * count
    sender.join(5.0)
    client.close()
    server.close()


def test_the_others_have_their_turn_between_chunks(
    pair: tuple[socket.socket, Connection],
) -> None:
    client, connection = pair
    client.sendall(b"1\r\na\r\n" * 1_000 + b"0\r\n\r\n")
    turns: list[int] = []
    body = Body(connection, None, expects_continue=False)
    waiting = gevent.spawn(turns.append, 1)
    assert len(body.read()) == 1_000
    assert turns == [1]
    waiting.join(5.0)


def test_a_client_that_does_not_wait_gives_way(pair: tuple[socket.socket, Connection]) -> None:
    client, connection = pair
    client.sendall(b"GET / HTTP/1.1\r\n\r\nGET")
    turns: list[int] = []
    assert connection.read_head() is not None
    waiting = gevent.spawn(turns.append, 1)
    connection.give_way()
    assert turns == [1]
    waiting.join(5.0)


def test_timers_fire_beside_a_client_that_pipelines() -> None:
    def slow(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        work()
        return echo(env, start)

    with serving(slow) as server, RawClient(server.address) as client, timer_turns() as turns:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * TIMES)
        for _ in range(TIMES):
            client.reply()
        assert turns() >= TIMES / 2


def test_timers_fire_beside_a_client_that_sends_many_chunks(
    pair: tuple[socket.socket, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, connection = pair
    client.sendall(b"1\r\na\r\n" * TIMES + b"0\r\n\r\n")
    read_line = connection.read_line

    def read_slowly(size_max: int, deadline: float) -> bytes:
        work()
        return read_line(size_max, deadline)

    monkeypatch.setattr(connection, "read_line", read_slowly)
    monkeypatch.setattr(connections, "_CHUNKS_A_TURN", 1)
    with timer_turns() as turns:
        assert len(Body(connection, None, expects_continue=False).read()) == TIMES
        assert turns() >= TIMES / 2


def test_what_is_left_of_a_body_is_swallowed_if_it_is_short(
    pair: tuple[socket.socket, Connection],
) -> None:
    client, connection = pair
    client.sendall(b"abcdefnext")
    body = Body(connection, 6, expects_continue=False)
    assert body.read(1) == b"a"
    body._discard()
    assert connection.read(9, connection.body_deadline()) == b"next"
    assert not Body(connection, 10_000_000, expects_continue=False).can_be_swallowed
    assert not Body(connection, None, expects_continue=False).can_be_swallowed
    late = Body(connection, 6, expects_continue=False)
    late._discard()
    assert not late.is_finished


class Fountain:
    """A socket whose client never stops sending."""

    def __init__(self) -> None:
        self.taken = 0

    def recv(self, size: int, /) -> bytes:
        self.taken += size
        return b"x" * size

    def sendall(self, data: bytes | bytearray, /) -> None:
        raise AssertionError("nothing is sent here")

    def settimeout(self, seconds: float | None, /) -> None:
        pass

    def fileno(self) -> int:
        raise AssertionError("nobody asks whether it is left")

    def shutdown(self, how: int, /) -> None:
        pass

    def close(self) -> None:
        pass


def test_nobody_has_endless_sending_swallowed() -> None:
    fountain = Fountain()
    Connection(fountain, Patience(linger_s=60.0)).linger()
    assert 8 * 1024 * 1024 < fountain.taken < 32 * 1024 * 1024


def test_timers_fire_while_what_nobody_reads_is_swallowed() -> None:
    class SlowFountain(Fountain):
        def recv(self, size: int, /) -> bytes:
            work()
            return super().recv(size) if self.taken < TIMES * size else b""

    with timer_turns() as turns:
        Connection(SlowFountain(), Patience(linger_s=60.0)).linger()
        assert turns() >= TIMES / 2
