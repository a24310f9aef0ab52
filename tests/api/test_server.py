from __future__ import annotations

import logging
import resource
import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cyme.api.connection import Patience
from cyme.api.server import ConnectionLimits, HttpServer, _Listener, listen
from cyme.errors import AddressUnavailable, SettingsError
from tests.api.branch import FakeBranch
from tests.api.wire import RawClient
from tests.waiting import eventually

SHORT = Patience(idle_s=0.3, head_s=0.4, body_s=0.4, send_s=1.0, linger_s=0.3)

ANYWHERE = ("127.0.0.1", 0)


def echo(env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answers with the method, the raw target and the body."""
    body = env["wsgi.input"].read()
    answer = f"{env['REQUEST_METHOD']} {env['RAW_URI']} ".encode("latin-1") + body
    start("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


def open_files() -> int:
    """Return how many files this process has open, the clients' ends of connections too."""
    return len(list(Path("/proc/self/fd").iterdir()))


def at_work(server: HttpServer) -> RawClient:
    """Return a client whose request is under way."""
    client = RawClient(server.address)
    client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
    return client


@contextmanager
def serving(app: Any = echo, **options: Any) -> Iterator[HttpServer]:
    server = HttpServer(app, ANYWHERE, **options)
    server.start()
    try:
        yield server
    finally:
        server.stop(1.0)


@pytest.fixture
def echoing() -> Iterator[HttpServer]:
    with serving() as server:
        yield server


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


# --- deadlines and limits ------------------------------------------------------------------------


def test_a_client_that_dribbles_its_head_is_cut_off() -> None:
    with serving(patience=SHORT) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nA: ")
        began = time.monotonic()
        while not select.select([client.socket], [], [], 0.05)[0]:
            client.send(b"a")
        assert client.reply().status == 408
        assert time.monotonic() - began < 3


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate, key


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
