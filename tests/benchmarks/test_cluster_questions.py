from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import cast

import pytest

from benchmarks.branch import Branch, running_branches
from benchmarks.failure import BenchmarkFailed
from benchmarks.http_client import Tally
from benchmarks.load import Address
from benchmarks.members import Cost, Group
from benchmarks.questions import converge, forward, gossip, spread
from benchmarks.run import EMBEDDED, Run
from tests.benchmarks.test_program import Quiet

DELAY_S = 0.05


class Server(ThreadingHTTPServer):
    """Shows what was written, after a while."""

    daemon_threads = True

    def __init__(self, written: set[str], *, created: int = 201) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.written = written
        self.created = created


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_PUT(self) -> None:
        threading.Timer(DELAY_S, self.server.written.add, [self.path]).start()
        self.reply(self.server.created)

    def do_GET(self) -> None:
        self.reply(200 if self.path in self.server.written else 404)

    def reply(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Served:
    id: str
    address: Address


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Yield a list whose servers are ended afterwards."""
    started: list[Server] = []
    yield started
    for server in started:
        server.shutdown()
        server.server_close()


def serve(servers: list[Server], written: set[str], *, created: int = 201) -> Branch:
    server = Server(written, created=created)
    servers.append(server)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    host, port = server.server_address[:2]
    return cast(Branch, Served(f"b{len(servers)}", (str(host), int(port))))


# --- spread ---------------------------------------------------------------------------------------


def test_spread_is_counted_from_the_answer_to_what_others_show(servers: list[Server]) -> None:
    written: set[str] = set()
    writer, *readers = (serve(servers, written) for _ in range(3))
    each_ms, all_ms = spread._spread(writer, readers, 20, Random(1))
    assert (len(each_ms), len(all_ms)) == (40, 20)
    assert max(each_ms) == max(all_ms)
    assert 1e3 * DELAY_S * 0.8 <= sorted(each_ms)[20] <= 1e3 * DELAY_S * 10


def test_a_write_that_is_refused_ends_the_readers_too(servers: list[Server]) -> None:
    written: set[str] = set()
    writer = serve(servers, written, created=200)
    reader = serve(servers, written)
    with pytest.raises(BenchmarkFailed, match="answered 200"):
        spread._spread(writer, [reader], 5, Random(1))


def test_what_never_spreads_is_a_failure(
    servers: list[Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread, "SPREAD_TIMEOUT_S", 0.5)
    writer, reader = serve(servers, set()), serve(servers, set())
    with pytest.raises(BenchmarkFailed, match=r"b2 does not show .*/q0/"):
        spread._spread(writer, [reader], 1, Random(1))


# --- forward --------------------------------------------------------------------------------------


def test_what_forwarding_adds_is_the_median_of_the_pairs() -> None:
    theirs = forward._medians("theirs", [Tally(1.0, [0.003]), Tally(1.0, [0.009, 0.005, 0.006])])
    own = forward._medians("own", [Tally(1.0, [0.001]), Tally(1.0, [0.003])])
    assert theirs.samples == pytest.approx((3.0, 6.0))
    bar = forward._more(forward.DEEDS[0], theirs, own)
    assert bar.value == pytest.approx(2.5)
    assert not bar.holds


# --- gossip ---------------------------------------------------------------------------------------


def cost(at: float, processor_s: float, sent: int, received: int, messages: int) -> Cost:
    return Cost(
        at=at,
        processor_s=processor_s,
        sent=sent,
        received=received,
        messages_sent=0,
        messages_received=messages,
        dropped=0,
        beacons_heard=0,
    )


def test_costs_are_shared_by_the_members_and_the_seconds() -> None:
    windows = gossip.Windows()
    windows.add(cost(100.0, 5.0, 0, 1000, 50), cost(110.0, 6.0, 200_000, 301_000, 150), 10)
    assert windows.percent == [pytest.approx(1.0)]
    assert windows.sent == [pytest.approx(2.0)]
    assert windows.received == [pytest.approx(3.0)]
    assert windows.messages == [pytest.approx(1.0)]


def test_the_bars_are_those_of_fifty_members() -> None:
    found = {
        10: gossip.Windows([0.2], [1.0], [1.0], [9.0]),
        50: gossip.Windows([0.6], [6.0], [2.0], [9.0]),
        100: gossip.Windows([2.0], [9.0], [9.0], [9.0]),
    }
    answer = gossip._answer(found, 30.0)
    assert [bar.value for bar in answer.bars] == [0.6, 6.0, 2.0]
    assert [bar.holds for bar in answer.bars] == [True, False, True]
    assert [compared.summary.median for compared in answer.ratios] == pytest.approx([3.0, 10.0])


# --- converge -------------------------------------------------------------------------------------

NEWS: converge.News = {
    "m0": [("branch.suspect", "m2", 104.0), ("branch.failed", "m2", 108.0)],
    "m1": [("branch.failed", "m2", 109.0), ("branch.failed", "m2", 115.0)],
}


def group_of(name: str) -> Group:
    return Group((name,), cast("object", None))  # type: ignore[arg-type]  # a group without process


def test_a_failure_is_noticed_when_each_first_says_so() -> None:
    delays_s = converge._delays_s(NEWS, converge.FAILED, group_of("m2"), 100.0)
    assert delays_s == [8.0, 9.0]
    assert converge._wrongly_accused(NEWS, group_of("m2")) == []


def test_a_living_member_that_is_given_up_misses_the_bar() -> None:
    assert converge._wrongly_accused(NEWS, group_of("m1")) == ["m2"] * 3
    answer = converge._answer([8.0, 9.0], [0.1], ["m2"])
    assert [bar.holds for bar in answer.bars] == [True, True, False]


# --- branches -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_branches_of_a_run_know_each_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = Run(
        quick=True,
        random=Random(1),
        broker=EMBEDDED,
        branch_options=(),
        directory=tmp_path_factory.mktemp("b"),
        progress=Quiet(),
    )
    with running_branches(run, ("one", "two")) as (one, two):
        assert [one.id, two.id] == ["one", "two"]
        for branch in (one, two):
            assert branch.request("GET", "/branches/") == ["one", "two"]
        one.request("PUT", "/bench/")
        one.request("PUT", "/bench/queues/q/")
        two.await_known("/bench/queues/q/", 10.0)
        with pytest.raises(BenchmarkFailed, match="404"):
            two.await_known("/bench/queues/missing/", 0.2)
    assert all(branch.process.poll() is not None for branch in (one, two))
