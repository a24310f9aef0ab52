from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent
import pytest
import zmq

from cyme.adapters.sockets import dealers
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.dealers import Dealers
from cyme.runtime.service.vitals import ASKED_AT_A_TIME
from tests.adapters.proxy import FreezingProxy
from tests.adapters.sockets.ground import (
    SECRET,
    Branch,
    Branches,
    RawPeer,
    free_ports,
    is_connected_to,
)
from tests.waiting import eventually


def _dealers(branch: Branch) -> Dealers:
    assert branch.links._bound is not None
    return branch.links._bound._dealers


def _pinged(caller: Branch, called: Branch) -> None:
    word = secrets.token_bytes(8)
    caller.links.send(called.links.calls_at, [b"ping", word])
    eventually(lambda: [b"pong", word] in caller.inlet.messages)


def test_the_least_recently_used_connection_gives_way(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealers, "DEALERS_MAX", 3)
    caller = branches()
    others = [branches() for _ in range(4)]
    for other in others[:3]:
        _pinged(caller, other)
    _pinged(caller, others[0])
    _pinged(caller, others[3])
    kept = {other.links.calls_at for other in (others[0], others[2], others[3])}
    assert _dealers(caller)._dealers.keys() == kept
    _pinged(caller, others[1])
    assert len(_dealers(caller)) == 3


def test_all_branches_answer_that_are_asked_at_once(branches: Branches) -> None:
    caller = branches()
    others = [branches() for _ in range(ASKED_AT_A_TIME)]
    words = [[b"ping", b"%d" % number] for number, _ in enumerate(others)]
    for other, word in zip(others, words, strict=True):
        caller.links.send(other.links.calls_at, word)
    pongs = [[b"pong", word] for _, word in words]
    eventually(lambda: all(pong in caller.inlet.messages for pong in pongs), timeout_s=30.0)


def test_what_was_sent_by_a_connection_that_gives_way_arrives(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealers, "DEALERS_MAX", 1)
    caller, one, other = branches(), branches(), branches()
    _pinged(caller, one)
    for number in range(100):
        caller.links.send(one.links.calls_at, [b"%d" % number, b"x" * 100_000])
    caller.links.send(other.links.calls_at, [b"the other"])
    eventually(lambda: len(one.inlet.messages) == 101)
    assert one.inlet.messages[-1][0] == b"99"


def test_an_idle_connection_is_closed_and_a_used_one_is_not(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealers, "IDLE_S", 1.5)
    caller, idle, used = branches(), branches(), branches()
    _pinged(caller, idle)
    _pinged(caller, used)
    link, _ = used.inlet.directed[0]

    def idle_is_closed() -> bool:
        used.links.reply(link, [b"news"])
        return len(_dealers(caller)) == 1

    eventually(idle_is_closed)
    assert _dealers(caller)._dealers.keys() == {used.links.calls_at}
    caller.links.reply(b"D1", [b"by the closed connection"])
    assert caller.links.traffic.dropped == 1
    _pinged(caller, idle)


def test_a_message_waits_for_a_branch_that_is_about_to_come(branches: Branches) -> None:
    port = free_ports()
    caller = branches()
    caller.links.send(f"tcp://127.0.0.1:{port}", [b"ping", b"early"])
    gevent.sleep(0.1)
    branches(port=port)
    eventually(lambda: [b"pong", b"early"] in caller.inlet.messages)


def test_a_message_does_not_wait_for_ever(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealers, "WAIT_S", 0.3)
    port = free_ports()
    caller = branches()
    caller.links.send(f"tcp://127.0.0.1:{port}", [b"ping", b"stale"])
    eventually(lambda: caller.links.traffic.dropped == 1)
    called = branches(port=port)

    def fresh_one_arrives() -> bool:
        caller.links.send(called.links.calls_at, [b"ping", b"fresh"])
        return [b"pong", b"fresh"] in caller.inlet.messages

    eventually(fresh_one_arrives)
    assert [b"ping", b"stale"] not in called.inlet.messages


def test_nothing_that_was_sent_into_a_break_arrives_after_it(
    branches: Branches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealers, "WAIT_S", 0.2)
    port = free_ports()
    caller, called = branches(), branches(port=port)
    _pinged(caller, called)
    called.links.stop(0.0)
    # The end of the connection is noticed by a thread of ZeroMQ's.
    eventually(lambda: not is_connected_to(called.links.calls_at))
    for number in range(10):
        caller.links.send(f"tcp://127.0.0.1:{port}", [b"%d" % number])
    eventually(lambda: caller.links.traffic.dropped == 10)
    again = branches(port=port)

    def is_reached() -> bool:
        caller.links.send(again.links.calls_at, [b"ping", b"fresh"])
        return [b"pong", b"fresh"] in caller.inlet.messages

    eventually(is_reached)
    assert {frames[0] for frames in again.inlet.messages} == {b"ping"}


@pytest.mark.parametrize(("count", "size"), [(1000, 1), (100, 100_000)])
def test_few_messages_wait_the_youngest_of_them(count: int, size: int, branches: Branches) -> None:
    port = free_ports()
    caller = branches()
    for number in range(count):
        caller.links.send(f"tcp://127.0.0.1:{port}", [b"%d" % number, b"x" * size])
    kept = min(dealers.WAITING_MAX, dealers.WAITING_BYTES_MAX // size)
    assert count - kept <= caller.links.traffic.dropped <= count - kept + 1
    called = branches(port=port)
    eventually(lambda: len(called.inlet.messages) >= kept - 1)
    assert called.inlet.messages[-1][0] == b"%d" % (count - 1)


def test_an_answer_finds_its_way_after_a_break_of_the_connection(branches: Branches) -> None:
    caller, called = branches(), branches()
    proxy = FreezingProxy(called.links.calls_at)
    proxy.start()
    try:
        endpoint = f"tcp://127.0.0.1:{urlsplit(proxy.url).port}"
        caller.links.send(endpoint, [b"a question"])
        link, _ = eventually(lambda: called.inlet.directed)[0]
        proxy.cut()

        def is_back() -> bool:
            caller.links.send(endpoint, [b"ping", b"1"])
            return [b"pong", b"1"] in caller.inlet.messages

        eventually(is_back)
        called.links.reply(link, [b"the answer"])
        eventually(lambda: [b"the answer"] in caller.inlet.messages)
    finally:
        proxy.stop()


def test_a_peer_that_comes_back_takes_over_its_link(
    branches: Branches, raw_peers: Callable[..., RawPeer], cluster: str
) -> None:
    branch = branches()
    keys = Keys.derived(SECRET, cluster)

    def peer() -> RawPeer:
        made = raw_peers(zmq.DEALER, branch.links.calls_at, routing_id=b"the same")
        return made.with_keys(keys, keys).connect()

    gone, back = peer(), None
    gone.socket.send(b"before")
    eventually(lambda: len(branch.inlet.directed) == 1)
    back = peer()
    back.socket.send(b"after")
    eventually(lambda: len(branch.inlet.directed) == 2)
    links = {link for link, _ in branch.inlet.directed}
    assert len(links) == 1
    branch.links.reply(links.pop(), [b"to whom"])
    eventually(lambda: back.received() == [b"to whom"])


def test_two_names_of_one_branch_do_not_push_each_other_away(branches: Branches) -> None:
    caller, called = branches(), branches()
    by_name = called.links.calls_at.replace("127.0.0.1", "localhost")
    for number in range(50):
        word = b"%d" % number
        caller.links.send(called.links.calls_at, [b"ping", b"address " + word])
        caller.links.send(by_name, [b"ping", b"name " + word])
        gevent.sleep(0.01)
    eventually(lambda: [b"pong", b"name 49"] in caller.inlet.messages)
    eventually(lambda: [b"pong", b"address 49"] in caller.inlet.messages)
    assert len(caller.inlet.messages) == 100


def test_a_connection_that_cannot_be_opened_costs_its_messages_alone(
    branches: Branches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caller, called = branches(), branches()

    def no_descriptor_left(*_: object) -> None:
        raise zmq.ZMQError(24)

    with monkeypatch.context() as patched:
        patched.setattr(dealers, "new_socket", no_descriptor_left)
        caller.links.send(called.links.calls_at, [b"lost"])
    assert caller.links.traffic.dropped == 1
    assert "no connection to" in caplog.text
    _pinged(caller, called)
