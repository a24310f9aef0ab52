"""The server of HTTP: requests, replies, its life, TLS."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cyme.api.server import HttpServer, listen
from cyme.errors import AddressUnavailable, SettingsError
from tests.api.branch import FakeBranch
from tests.api.echo import ANYWHERE, echo, serving
from tests.api.wire import RawClient
from tests.waiting import eventually

# --- requests and replies ------------------------------------------------------------------------


def test_serves_one_request_after_the_other_on_a_connection(echoing: HttpServer) -> None:
    with RawClient(echoing.address) as client:
        for number in range(3):
            reply = client.request(
                f"POST /{number}?a=%41 HTTP/1.1", "Content-Length: 3", body=b"abc"
            )
            assert reply.body == f"POST /{number}?a=%41 abc".encode()
            assert "connection" not in reply.headers
            assert "date" in reply.headers


def test_serves_pipelined_requests_in_order(echoing: HttpServer) -> None:
    with RawClient(echoing.address) as client:
        client.send(b"".join(b"\r\nGET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(5)))
        assert [client.reply().body for _ in range(5)] == [b"GET /%d " % n for n in range(5)]


def test_reads_a_request_however_it_is_cut(echoing: HttpServer) -> None:
    request = (
        b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    )
    with RawClient(echoing.address) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), 7):
            client.send(request[start : start + 7])
        assert client.reply().body == b"PUT /x abcde"
        assert client.request("GET /y HTTP/1.1").body == b"GET /y "


@pytest.mark.parametrize(
    "chunks",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"03\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"3;" + b"e" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
        b"0\r\n" + b"T: t\r\n" * 30 + b"\r\n",
    ],
)
def test_refuses_a_chunked_body_that_is_none(branch: FakeBranch, chunks: bytes) -> None:
    with serving(branch.app) as server, RawClient(server.address) as client:
        client.send(b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunks)
        reply = client.reply()
        assert reply.status in {400, 413}
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["connection"] == "close"
        assert client.is_closed()
    assert branch.service.app_names() == []


def test_speaks_http_1_0(echoing: HttpServer) -> None:
    with RawClient(echoing.address) as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.reply().headers["connection"] == "close"
        assert client.is_closed()
    with RawClient(echoing.address) as client:
        client.send(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert client.reply().headers["connection"] == "keep-alive"
        client.send(b"GET /y HTTP/1.0\r\n\r\n")
        assert client.reply().body == b"GET /y "


def test_closes_when_the_client_asks_for_it(echoing: HttpServer) -> None:
    with RawClient(echoing.address) as client:
        reply = client.request("GET / HTTP/1.1", "Connection: close")
        assert reply.headers["connection"] == "close"
        assert client.is_closed()


def test_invites_a_body_that_waits_for_it(echoing: HttpServer) -> None:
    with RawClient(echoing.address) as client:
        client.send(
            b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        client.send(b"abc")
        assert client.reply().body == b"POST /x abc"


def test_does_not_invite_a_body_that_it_refuses(server: HttpServer) -> None:
    with RawClient(server.address) as client:
        length = 64 * 1024 * 1024
        reply = client.request(
            "PUT /foo/ HTTP/1.1", f"Content-Length: {length}", "Expect: 100-continue"
        )
        assert reply.status == 413
        assert reply.headers["connection"] == "close"
        assert client.is_closed()


def test_a_refusal_reaches_a_client_that_still_sends(server: HttpServer) -> None:
    with RawClient(server.address) as client:
        client.send(b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n")
        client.send(b"a" * 3_000_000)
        assert client.reply().status == 413
        assert client.is_closed()


def test_an_unread_short_body_does_not_end_the_connection() -> None:
    def deaf(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("204 No Content", [])
        return []

    with serving(deaf) as server, RawClient(server.address) as client:
        for _ in range(2):
            reply = client.request("PUT / HTTP/1.1", "Content-Length: 5", body=b"GET /")
            assert reply.status == 204


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (
            b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 150 + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01", 400),
    ],
)
def test_answers_bad_requests_with_problems(
    server: HttpServer, request_bytes: bytes, status: int
) -> None:
    with RawClient(server.address) as client:
        client.send(request_bytes)
        reply = client.reply()
        assert reply.status == status
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["status"] == status
        assert client.is_closed()


# --- starting and stopping -----------------------------------------------------------------------


def test_a_busy_port_is_told(echoing: HttpServer) -> None:
    host, port = echoing.address
    with pytest.raises(AddressUnavailable) as caught:
        HttpServer(echo, (host, port)).start()
    assert f"{host}:{port}" in caught.value.detail
    assert "another port" in caught.value.detail


@pytest.mark.parametrize(
    ("host", "says"), [("192.0.2.1", "not an address of this machine"), ("no host", "no host")]
)
def test_an_address_of_another_machine_is_told(host: str, says: str) -> None:
    with pytest.raises(AddressUnavailable, match=says):
        HttpServer(echo, (host, 0)).start()


def test_requests_under_way_finish_before_it_stops() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        begun.set()
        go_on.wait(10)
        return echo(env, start)

    server = HttpServer(slow, ANYWHERE)
    server.start()
    with RawClient(server.address) as busy, RawClient(server.address) as idle:
        busy.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(10)
        stopping = threading.Thread(target=server.stop, args=(10.0,))
        stopping.start()
        assert idle.is_closed(5.0)
        with pytest.raises(OSError):  # noqa: PT011 - however the kernel tells it
            socket.create_connection(server.address, timeout=1.0)
        go_on.set()
        reply = busy.reply()
        assert (reply.body, reply.headers["connection"]) == (b"GET /slow ", "close")
        stopping.join(5.0)
        assert not stopping.is_alive()


def test_what_does_not_finish_is_told_that_the_branch_stops() -> None:
    def endless(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        threading.Event().wait(60)
        return []

    server = HttpServer(endless, ANYWHERE)
    server.start()
    with RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert eventually(lambda: server.connections == 1)
        server.stop(0.2)
        assert client.reply().status == 503


def test_an_application_that_breaks_is_answered_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise LookupError("within")

    with serving(broken) as server, RawClient(server.address) as client:
        reply = client.request("GET / HTTP/1.1")
        assert reply.status == 500
        assert b"LookupError" not in reply.body
        assert client.is_closed()
    assert "LookupError" in caplog.text


def test_the_access_log_tells_no_query_and_no_queued_url(
    branch: FakeBranch, caplog: pytest.LogCaptureFixture
) -> None:
    branch.client.simulate_put("/foo/queues/q/")
    with (
        caplog.at_level(logging.DEBUG, logger="cyme.api"),
        serving(branch.app) as server,
        RawClient(server.address) as client,
    ):
        client.request("PUT /bar/?hostname=h&password=s3cret HTTP/1.1")
        client.request("GET /foo/queue/q/http://u:s3cret@m/ HTTP/1.1")
        client.request("GET /foo/queu%65/q/http:/u:s3cret@m/ HTTP/1.1")
        client.request("GET /foo%2fqueue%2fq%2fhttp:%2f%2fu:s3cret@m/ HTTP/1.1")
        client.request("GET /foo/queues/q/http:/u:s3cret@m/ HTTP/1.1")
        client.request("GET /foo/%9b31m%0a\x9b/ HTTP/1.1")
    assert "PUT /bar/ 201" in caplog.text
    assert caplog.text.count("GET /foo/queue/q/...") == 3
    assert "GET /foo/%9B31m%0A%9B/ 404" in caplog.text
    assert "s3cret" not in caplog.text


# --- TLS -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_speaks_tls_1_2_and_better(certificate: tuple[Path, Path]) -> None:
    with serving(certificate=certificate[0], key=certificate[1]) as server:
        assert server.scheme == "https"
        context = ssl.create_default_context(cafile=certificate[0])
        plain = socket.create_connection(server.address, timeout=5)
        with RawClient(
            server.address, context.wrap_socket(plain, server_hostname="localhost")
        ) as client:
            for _ in range(2):
                assert client.request("GET /x HTTP/1.1").body == b"GET /x "
        old = ssl.create_default_context(cafile=certificate[0])
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection(server.address, timeout=5) as plain,
            pytest.raises(OSError),  # noqa: PT011 - the library's word differs
        ):
            old.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_on_a_tls_port_is_closed(certificate: tuple[Path, Path]) -> None:
    with (
        serving(certificate=certificate[0], key=certificate[1]) as server,
        RawClient(server.address) as client,
    ):
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.is_closed(5.0)


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    with pytest.raises(SettingsError, match="--tls-cert"):
        HttpServer(echo, ANYWHERE, certificate=missing).start()
    missing.write_text("nothing")
    with pytest.raises(SettingsError, match=r"none\.pem"):
        HttpServer(echo, ANYWHERE, certificate=missing).start()


def test_a_verb_that_nobody_knows_is_a_problem(server: HttpServer) -> None:
    with RawClient(server.address) as client:
        reply = client.request("FROB /foo/ HTTP/1.1")
        assert (reply.status, "FROB" in reply.json["detail"]) == (501, True)
        assert client.request("GET / HTTP/1.1").status == 200


def test_takes_over_a_socket_that_listens_already() -> None:
    listening = listen(ANYWHERE)
    address = listening.getsockname()
    with serving(listening=listening) as server, RawClient(address) as client:
        assert server.address == address
        assert client.request("GET /x HTTP/1.1").body == b"GET /x "
    with pytest.raises(OSError):  # noqa: PT011 - however the kernel tells it
        socket.create_connection(address, timeout=1.0)
