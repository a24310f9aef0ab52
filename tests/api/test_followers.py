"""Those who follow events: how they behave, who may, and how many."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import gevent
import pytest

from cyme.api.server import ConnectionLimits
from cyme.api.streaming import broadcaster, outlet
from cyme.api.streaming.broadcaster import StreamLimits
from cyme.core.access import Caller, Role
from tests.api.branch import VIEWER, FakeBranch
from tests.api.streams import Follower, RevocableTokens, Served, serving, tell
from tests.api.wire import RawClient
from tests.waiting import eventually

# --- clients that do not behave ------------------------------------------------------------------


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have little wait for a client, and send all of it at once."""
    monkeypatch.setattr(broadcaster, "GATHER_S", 0.0)
    monkeypatch.setattr(outlet, "KERNEL_BYTES", 4096)
    monkeypatch.setattr(outlet, "WAITING_BYTES_MAX", 16 * 1024)


def slow_client(served: Served, context: ssl.SSLContext | None = None) -> Follower:
    """Return a client with little room, which reads nothing but the head of the answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(10.0)
    sock.connect(served.server.address)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    return Follower(RawClient(served.server.address, sock))


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("secured", [False, True])
def test_a_slow_client_is_told_how_much_it_lost_and_holds_up_nobody(
    branch: FakeBranch, certificate: tuple[Path, Path], secured: bool
) -> None:
    options = {"certificate": certificate[0], "key": certificate[1]} if secured else {}
    context = ssl.create_default_context(cafile=certificate[0]) if secured else None
    with serving(branch, **options) as served, slow_client(served, context) as slow:
        count = 200
        for number in range(count):
            tell(branch, f"{number} " + "x" * 1000)
            gevent.sleep(0.001)
        tell(branch, "the last")
        heard: list[str] = []
        lost = 0
        while not (lost and heard and heard[-1] == "the last"):
            frame = slow.frame()
            if not frame.event:
                heard.append(frame.data["reason"].split(" x")[0])
            elif frame.event == "dropped":
                lost += frame.data["count"]
                tell(branch, "the last")
        assert heard[:5] == ["0", "1", "2", "3", "4"], "what it got is whole"
        whole = [each for each in heard if each != "the last"]
        assert len(whole) < count
        assert count <= len(whole) + lost <= count + 1


@pytest.mark.usefixtures("narrow")
def test_a_client_that_takes_nothing_is_let_go(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "DROPPED_MAX", 20)
    with slow_client(served), served.follow() as quick:
        reading = gevent.spawn(quick.reasons, 201)
        for _ in range(200):
            tell(branch, "x" * 1000)
            gevent.sleep(0.001)
        eventually(lambda: served.streams.listeners == 1)
        tell(branch, "the last")
        assert reading.get(timeout=10.0)[-1] == "the last"


@pytest.mark.usefixtures("narrow")
def test_a_client_that_stalls_is_let_go_though_little_happens(
    branch: FakeBranch, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "STALLED_S_MAX", 0.1)
    monkeypatch.setattr(broadcaster, "HEARTBEAT_S", 0.05)
    with slow_client(served):
        tell(branch, *("x" * 1000 for _ in range(100)))
        eventually(lambda: served.streams.listeners == 0)


def test_a_client_that_goes_is_noticed(served: Served) -> None:
    with served.follow(), served.follow("/events/?rows=1"):
        eventually(lambda: served.streams.listeners == 2)
        assert served.server.connections == 0, "no greenlet waits for a stream"
    eventually(lambda: served.streams.listeners == 0)


def test_a_client_that_talks_without_end_is_let_go(served: Served) -> None:
    with served.follow() as follower:
        follower.client.send(b"x" * (outlet.HEARD_BYTES_MAX + 1))
        assert follower.client.is_closed()
    assert served.streams.listeners == 0


# --- who may, and how many -----------------------------------------------------------------------


def test_it_takes_a_token_and_ends_when_that_is_revoked(
    branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "HEARTBEAT_S", 0.05)
    tokens = RevocableTokens()
    with serving(branch, tokens=tokens) as served:
        with RawClient(served.server.address) as client:
            assert client.request("GET /events/ HTTP/1.1").status == 401
        with served.follow("/events/", f"Authorization: {VIEWER['Authorization']}") as follower:
            assert follower.frame().event == "hello"
            follower.client.read_until(b":\n\n")
            tokens.callers.clear()
            assert follower.client.is_closed()
        assert served.streams.listeners == 0


def test_a_changed_role_begins_the_stream_anew(
    branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcaster, "HEARTBEAT_S", 0.05)
    tokens = RevocableTokens()
    with (
        serving(branch, tokens=tokens) as served,
        served.follow("/events/", f"Authorization: {VIEWER['Authorization']}") as follower,
    ):
        tokens.callers["cyme_v_viewer"] = Caller(Role.ADMIN, "vera")
        assert follower.client.is_closed()


def test_so_many_may_follow_and_requests_have_their_own_room(branch: FakeBranch) -> None:
    limits = StreamLimits(total_max=3, per_address_max=2)
    connections = ConnectionLimits(total_max=2)
    with (
        serving(branch, streams=limits, limits=connections) as served,
        served.follow(),
        ExitStack() as stack,
    ):
        second = stack.enter_context(served.follow())
        with RawClient(served.server.address) as client:
            reply = client.request("GET /events/ HTTP/1.1")
            assert reply.status == 503
            assert "127.0.0.1 follows 2 streams already" in reply.json["detail"]
            assert reply.headers["retry-after"]
            assert client.request("GET /ping/ HTTP/1.1").status == 200
        second.client.socket.close()
        eventually(lambda: served.streams.listeners == 1)
        stack.enter_context(served.follow())
        free = served.streams.reserve("10.0.0.1")
        with RawClient(served.server.address) as client:
            assert client.request("GET /ping/ HTTP/1.1").status == 200
        free()


def test_streams_end_with_the_branch_and_do_not_hold_it_up(branch: FakeBranch) -> None:
    served = Served(branch)
    served.server.start()
    with served.follow() as follower, served.follow("/events/?rows=1"):
        eventually(lambda: served.streams.listeners == 2)
        with gevent.Timeout(20.0):
            served.server.stop(60.0)
            served.streams.stop(60.0)
        assert follower.client.is_closed()
    assert served.streams.listeners == 0


def test_streams_go_by_tls_too(branch: FakeBranch, certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(cafile=certificate[0])
    with serving(branch, certificate=certificate[0], key=certificate[1]) as served:
        plain = socket.create_connection(served.server.address, timeout=10)
        secured = context.wrap_socket(plain, server_hostname="localhost")
        with Follower(RawClient(served.server.address, secured)) as follower:
            assert follower.frame().event == "hello"
            for number in range(50):
                tell(branch, f"{number} " + "x" * 1900)
            told = follower.reasons(50)
            assert [each.split()[0] for each in told] == [f"{number}" for number in range(50)]
        eventually(lambda: served.streams.listeners == 0)
