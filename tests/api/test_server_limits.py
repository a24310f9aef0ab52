"""The server of HTTP: its deadlines and its limits."""

from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cyme.api.connection import Patience
from cyme.api.server import ConnectionLimits, HttpServer, _Listener, listen
from tests.api.branch import FakeBranch
from tests.api.echo import ANYWHERE, SHORT, at_work, open_files, serving
from tests.api.wire import RawClient
from tests.waiting import eventually

# --- deadlines and limits ------------------------------------------------------------------------


def test_a_client_that_dribbles_its_head_is_cut_off() -> None:
    with serving(patience=SHORT) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nA: ")
        began = time.monotonic()
        while not select.select([client.socket], [], [], 0.05)[0]:
            client.send(b"a")
        assert client.reply().status == 408
        assert time.monotonic() - began < 10


def test_a_head_that_does_not_come_is_a_timeout() -> None:
    with serving(patience=SHORT) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        assert client.reply().status == 408
        assert client.is_closed(2.0)


def test_a_body_that_does_not_come_is_a_timeout(branch: FakeBranch) -> None:
    with serving(branch.app, patience=SHORT) as server, RawClient(server.address) as client:
        client.send(b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
        assert client.reply().status == 408
        assert client.is_closed(2.0)


def test_a_body_that_breaks_off_changes_nothing(branch: FakeBranch) -> None:
    with serving(branch.app) as server:
        with RawClient(server.address) as client:
            client.send(b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
            client.socket.shutdown(socket.SHUT_WR)
            assert client.reply().status == 400
        assert branch.service.app_names() == []


def test_an_idle_connection_is_closed_silently() -> None:
    with serving(patience=SHORT) as server, RawClient(server.address) as client:
        assert client.request("GET / HTTP/1.1").status == 200
        assert client.is_closed(3.0)
        assert eventually(lambda: server.connections == 0)


def test_a_client_that_takes_no_reply_is_given_up() -> None:
    def huge(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", str(50_000_000))])
        return [b"x" * 50_000_000]

    with serving(huge, patience=SHORT) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: server.connections == 1)
        assert eventually(lambda: server.connections == 0, timeout_s=5.0)


@pytest.mark.parametrize(
    "limits", [ConnectionLimits(total_max=2), ConnectionLimits(per_address_max=2)]
)
def test_takes_a_limited_number_of_connections(limits: ConnectionLimits) -> None:
    with serving(limits=limits) as server:
        busy = [at_work(server) for _ in range(2)]
        assert eventually(lambda: server.connections == 2)
        with RawClient(server.address) as third:
            reply = third.reply()
            assert (reply.status, reply.json["title"]) == (503, "There is too much to do")
            assert "retry-after" in reply.headers
        busy[0].socket.close()
        assert eventually(lambda: server.connections == 1)
        with RawClient(server.address) as fourth:
            assert fourth.request("GET / HTTP/1.1").status == 200
        busy[1].socket.close()


@pytest.mark.parametrize(
    "limits", [ConnectionLimits(total_max=2), ConnectionLimits(per_address_max=2)]
)
def test_at_the_limit_the_longest_idle_connection_gives_way(limits: ConnectionLimits) -> None:
    with serving(limits=limits) as server:
        clients = [RawClient(server.address) for _ in range(2)]
        for client in (*clients, clients[0]):
            assert client.request("GET / HTTP/1.1").status == 200
        with RawClient(server.address) as third:
            assert third.request("GET / HTTP/1.1").status == 200
            assert clients[1].is_closed(2.0)
            assert clients[0].request("GET / HTTP/1.1").status == 200
            assert server.connections == 2
        clients[0].socket.close()


def test_few_of_those_who_are_turned_away_are_waited_for() -> None:
    limits, patience = ConnectionLimits(total_max=1), Patience(linger_s=60.0)
    with serving(limits=limits, patience=patience) as server, at_work(server):
        assert eventually(lambda: server.connections == 1)
        before = open_files()
        waiting = [socket.create_connection(server.address) for _ in range(100)]
        assert eventually(lambda: open_files() - before < 100 + 50)
        for client in waiting:
            client.close()


def test_a_flood_of_connections_is_left_to_wait_in_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undecided, go_on = [], threading.Event()

    def handle(self: object, sock: object, address: object) -> None:
        undecided.append(sock)
        go_on.wait(10)

    monkeypatch.setattr(_Listener, "handle", handle)
    with serving(limits=ConnectionLimits(total_max=4)) as server:
        flood = [socket.create_connection(server.address) for _ in range(200)]
        assert server._listener is not None
        assert eventually(server._listener.pool.full)
        assert len(undecided) < 100
        go_on.set()
        assert eventually(lambda: len(undecided) == 200)
        for each in flood:
            each.close()


def test_takes_no_more_connections_than_half_of_the_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4, 4))
    with serving() as server, at_work(server), at_work(server):
        assert eventually(lambda: server.connections == 2)
        with RawClient(server.address) as third:
            assert third.reply().status == 503


@pytest.mark.parametrize("path", ["/ping", "/healthz", "/readyz"])
def test_a_body_of_nobody_in_particular_is_not_read(server: HttpServer, path: str) -> None:
    with RawClient(server.address) as client:
        reply = client.request(f"GET {path} HTTP/1.1", "Transfer-Encoding: chunked")
        assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_a_body_of_very_small_chunks_is_refused(branch: FakeBranch) -> None:
    with serving(branch.app) as server, RawClient(server.address) as client:
        client.send(b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\n \r\n" * 10_000)
        reply = client.reply()
        assert (reply.status, "small chunks" in reply.json["detail"]) == (413, True)
        assert client.is_closed()


def test_a_url_to_a_queue_that_is_none_is_refused_unread(server: HttpServer) -> None:
    with RawClient(server.address) as client:
        reply = client.request(
            "POST /foo/queue/q/http://m/ HTTP/1.1",
            "Content-Length: 8000000",
            "Expect: 100-continue",
        )
        assert (reply.status, reply.headers["connection"]) == (404, "close")


def test_replies_wait_for_no_acknowledgement() -> None:
    listening = listen(ANYWHERE)
    listening.setblocking(True)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
