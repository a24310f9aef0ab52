from __future__ import annotations

import fcntl
import logging
import socket
import time
from functools import partial
from pathlib import Path

import gevent
import pytest

from cyme.adapters.sockets import ZmqLinks
from cyme.adapters.sockets.options import FRAME_BYTES_MAX
from cyme.core.ports import Links
from cyme.errors import AddressUnavailable
from tests.adapters.sockets.ground import (
    SECRET,
    Branch,
    Branches,
    Recording,
    free_ports,
    is_connected_to,
)
from tests.waiting import eventually


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _links(port: int = 0, host: str = "127.0.0.1", advertise: str | None = None) -> ZmqLinks:
    return ZmqLinks(host, port, secret=SECRET, cluster="c", advertise=advertise, beacon=False)


def test_fulfils_the_port(branches: Branches) -> None:
    links: Links = branches().links
    assert links.calls_at != links.beats_at


def test_what_one_publishes_all_who_listen_hear(branches: Branches) -> None:
    speaker, one, other = branches(), branches(), branches()
    one.hears(speaker)
    other.hears(speaker)
    speaker.links.publish([b"head", b"body"])
    eventually(lambda: [b"head", b"body"] in one.inlet.published)
    eventually(lambda: [b"head", b"body"] in other.inlet.published)
    assert not speaker.inlet.published


def test_who_listens_no_more_hears_no_more(branches: Branches) -> None:
    left, kept, listener = branches(), branches(), branches()
    listener.hears(left, kept)
    listener.links.listen([kept.links.beats_at])
    # ZeroMQ takes its leave in a thread of its own.
    eventually(lambda: not is_connected_to(left.links.beats_at))
    left.links.publish([b"from the left one"])
    kept.links.publish([b"from the kept one"])
    eventually(lambda: [b"from the kept one"] in listener.inlet.published)
    assert [b"from the left one"] not in listener.inlet.published


def test_a_message_goes_there_and_an_answer_comes_back(branches: Branches) -> None:
    caller, called = branches(), branches()
    caller.links.send(called.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in caller.inlet.messages)
    assert called.inlet.messages == [[b"ping", b"1"]]


def test_both_ends_of_a_connection_can_answer_by_it(branches: Branches) -> None:
    caller, called = branches(), branches()
    caller.links.send(called.links.calls_at, [b"hello"])
    link, _ = eventually(lambda: called.inlet.directed)[0]
    called.links.reply(link, [b"ping", b"back"])
    eventually(lambda: [b"pong", b"back"] in called.inlet.messages)
    back, frames = caller.inlet.directed[0]
    caller.links.reply(back, [b"once more"])
    eventually(lambda: [b"once more"] in called.inlet.messages)
    assert frames == [b"ping", b"back"]


def test_messages_to_one_branch_arrive_in_order(branches: Branches) -> None:
    caller, called = branches(), branches()
    for number in range(50):
        caller.links.send(called.links.calls_at, [b"%d" % number])
    eventually(lambda: len(called.inlet.directed) == 50)
    assert called.inlet.messages == [[b"%d" % number] for number in range(50)]


def test_traffic_both_ways_at_once_never_comes_to_a_halt(branches: Branches) -> None:
    one, other = branches(), branches()
    for burst in range(1, 11):
        for number in range(300):
            one.links.send(other.links.calls_at, [b"ping", b"%d" % number])
            if number % 3 == 0:
                gevent.sleep(0.0001)
        eventually(partial(_has_messages, one, 300 * burst))


def _has_messages(branch: Branch, count: int) -> bool:
    return len(branch.inlet.directed) == count


@pytest.mark.parametrize("link", [b"", b"D99", b"Rnobody", b"R", b"?"])
def test_an_answer_to_nobody_is_dropped(link: bytes, branches: Branches) -> None:
    branch = branches()
    branch.links.reply(link, [b"to nobody"])
    assert branch.links.traffic.dropped == 1
    assert branch.links.traffic.sent == 0


def test_a_restarted_branch_is_reached_again(branches: Branches) -> None:
    port = free_ports()
    caller, called = branches(), branches(port=port)
    caller.hears(called)
    caller.links.send(called.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in caller.inlet.messages)
    called.links.stop(0.0)
    again = branches(port=port)

    def is_reached() -> bool:
        caller.links.send(again.links.calls_at, [b"ping", b"2"])
        return [b"pong", b"2"] in caller.inlet.messages

    eventually(is_reached)
    caller.hears(again)


def test_ipv6_works(branches: Branches) -> None:
    try:
        caller, called = branches("::1"), branches("::1")
    except AddressUnavailable:
        pytest.skip("this machine has no IPv6")
    assert called.links.calls_at.startswith("tcp://[::1]:")
    caller.hears(called)
    caller.links.send(called.links.calls_at, [b"ping", b"6"])
    eventually(lambda: [b"pong", b"6"] in caller.inlet.messages)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "*", ""])
def test_who_is_bound_everywhere_tells_an_address_that_leads_there(
    host: str, branches: Branches
) -> None:
    try:
        everywhere = branches(host)
    except AddressUnavailable:
        pytest.skip("this machine has no IPv6")
    assert "0.0.0.0" not in everywhere.links.calls_at
    assert "::]" not in everywhere.links.calls_at
    other = branches()
    other.links.send(everywhere.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in other.inlet.messages)


def test_a_host_may_be_a_name(branches: Branches) -> None:
    named, other = branches("localhost", advertise="localhost"), branches()
    assert named.links.calls_at.startswith("tcp://localhost:")
    other.hears(named)
    other.links.send(named.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in other.inlet.messages)


def test_the_advertised_host_is_what_others_are_told() -> None:
    port = free_ports()
    links = _links(port, advertise="branch.example")
    links.open()
    try:
        assert links.calls_at == f"tcp://branch.example:{port}"
        assert links.beats_at == f"tcp://branch.example:{port + 1}"
    finally:
        links.stop(0.0)


@pytest.mark.parametrize("taken", [0, 1])
def test_a_taken_port_is_an_error_that_says_what_to_do(taken: int) -> None:
    port = free_ports()
    before = _open_files()
    with socket.create_server(("127.0.0.1", port + taken)):
        with pytest.raises(AddressUnavailable, match=f":{port + taken} is in use .* --bind"):
            _links(port).open()
        eventually(lambda: _open_files() <= before + 1)


@pytest.mark.parametrize(
    ("host", "port", "advertise", "why"),
    [
        ("192.0.2.77", 0, None, "not of this machine"),
        ("no-such-host.invalid", 0, None, "not the name of an address"),
        ("127.0.0.1", 65_535, None, "two ports in a row"),
        ("127.0.0.1", 0, "a host", "--advertise"),
        ("127.0.0.1", 0, "tcp://elsewhere:1", "--advertise"),
    ],
)
def test_an_address_that_cannot_be_is_refused(
    host: str, port: int, advertise: str | None, why: str
) -> None:
    with pytest.raises(AddressUnavailable, match=why):
        _links(port, host, advertise).open()


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://*:1",
        "tcp://eth0;127.0.0.1:1",
        "ipc:///tmp/x",
        "inproc://zeromq.zap.01",
        "tcp://[127.0.0.1]:1",
        "tcp://" + "a" * 300 + ":1",
    ],
)
def test_what_is_no_endpoint_is_left_alone(endpoint: str, branches: Branches) -> None:
    branch = branches()
    branch.links.send(endpoint, [b"hello"])
    branch.links.listen([endpoint])
    assert branch.links.traffic.dropped == 1


def test_the_largest_message_passes_and_a_larger_one_is_not_sent(
    branches: Branches, caplog: pytest.LogCaptureFixture
) -> None:
    caller, called = branches(), branches()
    at = called.links.calls_at
    largest = [b"x" * FRAME_BYTES_MAX, b"y" * FRAME_BYTES_MAX]
    caller.links.send(at, largest)
    eventually(lambda: largest in called.inlet.messages)
    for too_large in (
        [b"x" * (FRAME_BYTES_MAX + 1)],
        [b"x" * FRAME_BYTES_MAX, b"y" * FRAME_BYTES_MAX, b"z"],
        [b"frame"] * 9,
        [],
    ):
        caller.links.send(at, too_large)
        caller.links.publish(too_large)
        caller.links.reply(b"D1", too_large)
    assert caller.links.traffic.dropped == 12
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
    caller.links.send(at, [b"frame"] * 8)
    eventually(lambda: [b"frame"] * 8 in called.inlet.messages)
    assert len(called.inlet.messages) == 2


def test_an_inlet_that_fails_does_not_end_the_reading(
    branches: Branches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caller, called = branches(), branches()
    at = called.links.calls_at
    take = called.inlet.on_directed

    def fail_at_bad(link: bytes, frames: list[bytes]) -> None:
        if frames == [b"bad"]:
            raise RuntimeError("a fault of the inlet")
        take(link, frames)

    monkeypatch.setattr(called.inlet, "on_directed", fail_at_bad)
    caller.links.send(at, [b"bad"])
    caller.links.send(at, [b"good"])
    eventually(lambda: called.inlet.messages == [[b"good"]])
    assert "a fault of the inlet" in caplog.text


def test_last_words_go_out(branches: Branches) -> None:
    leaving, listener = branches(), branches()
    listener.hears(leaving)
    leaving.links.send(listener.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in leaving.inlet.messages)
    for _ in range(20):
        leaving.links.publish([b"much to say" * 50_000])
        leaving.links.send(listener.links.calls_at, [b"much to say" * 50_000])
    leaving.links.publish([b"farewell to all"])
    leaving.links.send(listener.links.calls_at, [b"farewell"])
    leaving.links.stop(10.0)
    eventually(lambda: [b"farewell to all"] in listener.inlet.published)
    eventually(lambda: [b"farewell"] in listener.inlet.messages)


def test_an_end_takes_no_longer_than_it_may_and_does_not_hold_up_the_process(
    branches: Branches,
) -> None:
    branch = branches()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        branch.links.send(f"tcp://127.0.0.1:{silent.getsockname()[1]}", [b"hello"])
        gevent.sleep(0.1)
        beats = 0

        def beat() -> None:
            nonlocal beats
            while True:
                gevent.sleep(0.01)
                beats += 1

        beating = gevent.spawn(beat)
        began = time.monotonic()
        branch.links.stop(1.0)
        took_s = time.monotonic() - began
        beating.kill()
    assert took_s < 5.0
    # Far fewer than there is time for, as the machine may be busy; held up, there is none.
    assert beats >= took_s / 0.01 / 20 - 1


def test_nothing_happens_before_the_start_and_after_the_end() -> None:
    links = _links()
    before = _open_files()
    links.publish([b"x"])
    links.send("tcp://127.0.0.1:1", [b"x"])
    links.reply(b"R1", [b"x"])
    links.listen(["tcp://127.0.0.1:1"])
    links.stop(0.0)
    assert _open_files() == before
    links.start(Recording(links))
    links.stop(0.0)
    links.stop(0.0)
    links.publish([b"x"])
    assert links.traffic.sent == 0
    assert links.traffic.dropped == 4


def test_an_end_leaves_no_file_open() -> None:
    def live() -> None:
        links = _links()
        links.start(Recording(links))
        links.send("tcp://localhost:1", [b"x"])
        links.listen(["tcp://127.0.0.1:1"])
        links.stop(0.1)

    live()  # what the process opens once and keeps
    before = _open_files()
    live()
    eventually(lambda: _open_files() <= before)


def test_programs_that_are_started_inherit_no_socket(branches: Branches) -> None:
    before = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    caller, called = branches(beacon=True), branches(beacon=True)
    caller.hears(called)
    caller.links.send(called.links.calls_at, [b"ping", b"1"])
    eventually(lambda: [b"pong", b"1"] in caller.inlet.messages)
    opened = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()} - before
    inherited = []
    for descriptor in opened:
        try:
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        except OSError:
            continue  # that of the listing itself
        if not flags & fcntl.FD_CLOEXEC:
            inherited.append(Path(f"/proc/self/fd/{descriptor}").readlink())
    assert len(opened) > 10
    assert not inherited
