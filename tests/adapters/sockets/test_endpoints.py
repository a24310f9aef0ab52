from __future__ import annotations

import pytest

from cyme.adapters.sockets.endpoints import (
    ENDPOINT_CHARS_MAX,
    advertised_host,
    bindable_address,
    endpoint_of,
    is_address,
    is_loopback,
    parsed,
)
from cyme.errors import AddressUnavailable


@pytest.mark.parametrize(
    ("host", "port", "endpoint"),
    [
        ("127.0.0.1", 1, "tcp://127.0.0.1:1"),
        ("::1", 65_535, "tcp://[::1]:65535"),
        ("branch-1.example", 80, "tcp://branch-1.example:80"),
        ("my_host", 80, "tcp://my_host:80"),
        ("h", 80, "tcp://h:80"),
    ],
)
def test_an_endpoint_and_its_parts_are_one(host: str, port: int, endpoint: str) -> None:
    assert endpoint_of(host, port) == endpoint
    assert parsed(endpoint) == (host, port)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "127.0.0.1:1",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:+1",
        "tcp://127.0.0.1:\N{ARABIC-INDIC DIGIT ONE}",
        "tcp://:1",
        "tcp://*:1",
        "tcp://a b:1",
        "tcp://-a:1",
        "tcp://a\n:1",
        "tcp://eth0;10.0.0.1:1",
        "tcp://::1:1",
        "tcp://[::1:1",
        "tcp://[10.0.0.1]:1",
        "tcp://[]:1",
        "udp://10.0.0.1:1",
        "ipc:///tmp/socket",
        "inproc://zeromq.zap.01",
        "tcp://" + "a" * ENDPOINT_CHARS_MAX + ":1",
    ],
)
def test_what_is_no_endpoint_is_not_parsed(endpoint: str) -> None:
    assert parsed(endpoint) is None


def test_addresses_and_names_are_told_apart() -> None:
    assert is_address("10.0.0.1")
    assert is_address("fe80::1")
    assert not is_address("ten.example")
    assert not is_address("")


def test_loopback_is_known_in_all_its_spellings() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.3.4.5", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "", "10.0.0.1", "name.example"))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "0.0.0.0"),
        ("*", "0.0.0.0"),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "::"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("localhost", "127.0.0.1"),
    ],
)
def test_the_address_to_bind_is_numeric(host: str, address: str) -> None:
    assert bindable_address(host) == address


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example"])
def test_a_host_that_has_no_address_cannot_be_bound(host: str) -> None:
    with pytest.raises(AddressUnavailable, match="not the name of an address"):
        bindable_address(host)


def test_a_bound_address_is_told_as_it_is_and_all_addresses_as_one() -> None:
    assert advertised_host("10.1.2.3") == "10.1.2.3"
    assert advertised_host("::1") == "::1"
    for everywhere in ("0.0.0.0", "::"):
        assert advertised_host(everywhere) not in {"0.0.0.0", "::", ""}


def test_without_a_way_to_elsewhere_the_name_of_the_machine_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cyme.adapters.sockets.endpoints._ELSEWHERE", ())
    monkeypatch.setattr("socket.gethostname", lambda: "this-machine")
    assert advertised_host("0.0.0.0") == "this-machine"
