from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import monkey

from cyme.adapters.sockets import addresses, bound
from cyme.adapters.sockets.addresses import Addresses
from tests.adapters.sockets.ground import Branches, Watch, free_ports
from tests.waiting import eventually

NAME = "peer.example"
#: Much longer than what anybody waits for who is not held up.
HANGS_S = 20.0

Answer = Callable[[], list[str]]
Resolver = Callable[[Answer], None]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Return what sets the addresses of all names."""

    def set_answer(answer: Answer) -> None:
        def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
            return [(None, None, None, "", (address, port)) for address in answer()]

        monkeypatch.setattr(addresses, "_getaddrinfo", getaddrinfo)

    return set_answer


@pytest.fixture
def changes() -> list[int]:
    return []


@pytest.fixture
def known(changes: list[int]) -> Iterator[Addresses]:
    made = Addresses(lambda: changes.append(1))
    yield made
    made.stop()


def test_a_numeric_endpoint_is_its_own(known: Addresses) -> None:
    assert known.of("tcp://10.0.0.1:1") == "tcp://10.0.0.1:1"
    assert known.of("tcp://[::1]:1") == "tcp://[::1]:1"
    assert known.of("ipc:///tmp/x") is None


def test_a_name_is_looked_up_aside(
    known: Addresses, changes: list[int], resolver: Resolver
) -> None:
    resolver(lambda: ["10.0.0.1"])
    assert known.of(f"tcp://{NAME}:7") is None
    eventually(lambda: changes)
    assert known.of(f"tcp://{NAME}:7") == "tcp://10.0.0.1:7"


def test_a_name_server_that_hangs_holds_up_nothing(branches: Branches, resolver: Resolver) -> None:
    answers = monkey.get_original("threading", "Event")()

    def hang() -> list[str]:
        answers.wait(HANGS_S)
        return ["127.0.0.1"]

    resolver(hang)
    caller, called = branches(), branches()
    by_name = called.links.calls_at.replace("127.0.0.1", NAME)
    with Watch() as watch:
        caller.links.send(by_name, [b"ping", b"by name"])
        caller.links.send(called.links.calls_at, [b"ping", b"by address"])
        eventually(lambda: [b"pong", b"by address"] in caller.inlet.messages)
        assert [b"ping", b"by name"] not in called.inlet.messages
        answers.set()
        eventually(lambda: [b"pong", b"by name"] in caller.inlet.messages)
    assert watch.late_s < HANGS_S / 2


def test_connections_follow_a_name_to_another_address(
    branches: Branches, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "LOOK_UP_PERIOD_S", 0.1)
    port = free_ports()
    caller = branches()
    first, second = branches("127.0.0.2", port), branches("127.0.0.3", port)
    resolver(lambda: ["127.0.0.2"])
    calls_at, beats_at = f"tcp://{NAME}:{port}", f"tcp://{NAME}:{port + 1}"
    caller.links.listen([beats_at])

    def hears_first() -> bool:
        first.links.publish([b"first"])
        caller.links.send(calls_at, [b"ping", b"1"])
        heard = [b"first"] in caller.inlet.published
        return heard and [b"ping", b"1"] in first.inlet.messages

    def hears_second() -> bool:
        second.links.publish([b"second"])
        caller.links.send(calls_at, [b"ping", b"2"])
        heard = [b"second"] in caller.inlet.published
        return heard and [b"ping", b"2"] in second.inlet.messages

    eventually(hears_first)
    resolver(lambda: ["127.0.0.3"])
    eventually(hears_second)
    before = len(caller.inlet.published)
    first.links.publish([b"the left one"])
    second.links.publish([b"the kept one"])
    eventually(lambda: [b"the kept one"] in caller.inlet.published[before:])
    assert [b"the left one"] not in caller.inlet.published


def test_of_several_addresses_one_that_takes_connections_is_chosen_and_kept(
    known: Addresses,
    changes: list[int],
    resolver: Resolver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "LOOK_UP_PERIOD_S", 0.0)
    port = free_ports()
    endpoint = f"tcp://{NAME}:{port}"
    asked = 0

    def several() -> list[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.7", "127.0.0.8", "127.0.0.9"]

    resolver(several)
    with socket.create_server(("127.0.0.9", port)):
        known.of(endpoint)
        eventually(lambda: changes)
        assert known.of(endpoint) == f"tcp://127.0.0.9:{port}"
        with socket.create_server(("127.0.0.8", port)):
            known.tend()
            eventually(lambda: asked == 2)
            gevent.sleep(0.1)
            assert known.of(endpoint) == f"tcp://127.0.0.9:{port}"
    with socket.create_server(("127.0.0.8", port)):
        known.tend()
        eventually(lambda: known.of(endpoint) == f"tcp://127.0.0.8:{port}")


@pytest.mark.parametrize("error", [socket.gaierror(-2, "not known"), UnicodeError("label")])
def test_a_name_that_cannot_be_looked_up_keeps_its_address(
    error: Exception,
    known: Addresses,
    changes: list[int],
    resolver: Resolver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(addresses, "LOOK_UP_PERIOD_S", 0.0)
    resolver(lambda: ["10.0.0.1"])
    endpoint = f"tcp://{NAME}:7"
    known.of(endpoint)
    eventually(lambda: changes)

    def fail() -> list[str]:
        raise error

    resolver(fail)
    known.tend()
    eventually(lambda: "cannot be found" in caplog.text)
    assert known.of(endpoint) == "tcp://10.0.0.1:7"
    assert "Traceback" not in capfd.readouterr().err


def test_names_that_nobody_wants_any_more_are_forgotten(
    known: Addresses, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(lambda: ["10.0.0.1"])
    known.of(f"tcp://{NAME}:7")
    known.tend()
    assert known._names
    monkeypatch.setattr(addresses, "UNUSED_S", -1.0)
    known.tend()
    assert not known._names


def test_the_name_of_a_branch_that_is_listened_to_is_not_forgotten(
    branches: Branches, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound, "TEND_PERIOD_S", 0.02)
    monkeypatch.setattr(addresses, "UNUSED_S", 0.2)
    monkeypatch.setattr(addresses, "LOOK_UP_PERIOD_S", 0.5)
    asked = 0

    def count() -> list[str]:
        nonlocal asked
        asked += 1
        return ["127.0.0.1"]

    resolver(count)
    branches().links.listen([f"tcp://{NAME}:7"])
    eventually(lambda: asked == 3)


def test_there_is_a_most_to_the_names_that_are_known(
    known: Addresses, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(lambda: ["10.0.0.1"])
    monkeypatch.setattr(addresses, "NAMES_MAX", 30)
    for number in range(40):
        assert known.of(f"tcp://peer-{number}.example:7") is None
    assert len(known._names) == 30

    def all_are_found() -> bool:
        known.tend()
        return all(known.of(endpoint) for endpoint in list(known._names))

    eventually(all_are_found)
