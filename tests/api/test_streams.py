"""Answers that go on and on, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent
import pytest

from cyme.api.server import HttpServer
from cyme.api.streams import MUST_END
from tests.api.wire import RawClient
from tests.waiting import eventually


class Endless:
    """An application whose answer goes on until it must end."""

    def __init__(self) -> None:
        self.ended = 0

    def __call__(self, env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return self._go_on(env[MUST_END])

    def _go_on(self, must_end: Callable[[], bool]) -> Iterator[bytes]:
        try:
            while not must_end():
                yield b""
                gevent.sleep(0.01)
        finally:
            self.ended += 1


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.fixture
def server(endless: Endless) -> Iterator[HttpServer]:
    server = HttpServer(endless, ("127.0.0.1", 0))
    server.start()
    yield server
    server.stop(5.0)


def test_the_head_leaves_before_there_is_a_body_and_a_client_that_goes_ends_it(
    server: HttpServer, endless: Endless
) -> None:
    with RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in client.read_until(b"\r\n\r\n")
        assert not endless.ended
    eventually(lambda: endless.ended)


def test_a_server_that_stops_ends_it_properly(server: HttpServer, endless: Endless) -> None:
    with RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        with gevent.Timeout(4.0):
            server.stop(20.0)
        assert client.read_until(b"0\r\n\r\n") == b""
    assert endless.ended == 1
