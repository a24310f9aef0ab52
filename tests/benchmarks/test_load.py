from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from benchmarks.failure import BenchmarkFailed
from benchmarks.load import Address, flood, probing
from benchmarks.questions.read import _bare_falcon
from tests.waiting import eventually

STALL_S = 0.4


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str]] = []
        self.connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def answer(self) -> None:
        self.server.seen.append((self.command, self.path))
        if self.path == "/stall" and len(self.server.seen) == 3:
            time.sleep(STALL_S)
        body = b"x" * 5000
        self.send_response(404 if self.path == "/missing" else 200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer  # noqa: N815 - the names that the library looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def address_of(server: Server) -> Address:
    host, port = server.server_address[:2]
    return str(host), int(port)


def test_floods_over_connections_that_are_kept(server: Server) -> None:
    tally = flood(address_of(server), "/some/", seconds=0.3, connections=3)
    assert server.connections == 3
    assert len(server.seen) == len(tally.latencies_s) > 3
    assert tally.seconds >= 0.3
    assert all(0 < latency_s < 5 for latency_s in tally.latencies_s)


def test_numbers_its_requests(server: Server) -> None:
    flood(
        address_of(server),
        "/q{slot}?r={n}",
        method="PUT",
        slots=4,
        first=100,
        seconds=0.5,
        connections=1,
    )
    assert server.seen[:6] == [("PUT", f"/q{n % 4}?r={n}") for n in range(100, 106)]


@pytest.mark.parametrize("path", ["/missing", "/chunked"])
def test_a_request_that_fails_fails_the_measurement(server: Server, path: str) -> None:
    with pytest.raises(BenchmarkFailed, match=r"404|Content-Length"):
        flood(address_of(server), path, seconds=0.1, connections=1)


def test_a_server_that_is_not_there_fails_the_measurement() -> None:
    with pytest.raises(BenchmarkFailed, match="refused"):
        flood(("127.0.0.1", 1), "/", seconds=0.1, connections=1)


def test_probes_at_its_rate_while_the_block_runs(server: Server) -> None:
    with probing(address_of(server), "/", rate=50.0) as probe:
        eventually(lambda: len(server.seen) >= 75)
    assert probe.tally is not None
    assert len(probe.tally.latencies_s) == len(server.seen)
    assert len(server.seen) / probe.tally.seconds == pytest.approx(50.0, rel=0.3)


def test_a_stall_is_charged_to_all_requests_that_it_kept_waiting(server: Server) -> None:
    with probing(address_of(server), "/stall", rate=50.0) as probe:
        eventually(lambda: len(server.seen) >= 40)
    assert probe.tally is not None
    late = [latency_s for latency_s in probe.tally.latencies_s if latency_s > STALL_S / 4]
    assert len(late) > 5


def test_the_peer_serves_what_it_is_given() -> None:
    value = {"name": "one", "queues": ["a", "b"]}
    with (
        _bare_falcon(value) as (host, port),
        urllib.request.urlopen(f"http://{host}:{port}/") as answer,
    ):
        assert json.load(answer) == value
