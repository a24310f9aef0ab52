"""What webhooks may reach."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.tasks.reach import Reach

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
FORBIDDEN = [
    # this machine
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "::1", "::"),
    # networks of one's own
    *(
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "fc00::1",
        "fd12::1",
    ),
    # links, and what hands out credentials there
    *("169.254.169.254", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "168.63.129.16"),
    # many at once, and nobody
    *("224.0.0.1", "239.1.2.3", "255.255.255.255", "ff02::1", "ff0e::1"),
    *("240.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.7", "192.0.0.8", "192.88.99.1"),
    *("2001:db8::1", "3fff::1", "fec0::1", "64:ff9b:1::1", "5f00::1", "100::1", "2001:2::1"),
    # addresses inside addresses
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1"),
    *("2001:0:7f00:1::1",),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert Reach.read("").permits(address, "example.com")


@pytest.mark.parametrize("address", FORBIDDEN)
def test_all_other_addresses_may_not_be_reached_by_default(address: str) -> None:
    assert not Reach.read("").permits(address, "example.com")


@pytest.mark.parametrize("address", [*PUBLIC, *FORBIDDEN])
def test_any_allows_everything(address: str) -> None:
    assert Reach.read("any").permits(address, "example.com")


@pytest.mark.parametrize(
    ("allowed", "address", "permitted"),
    [
        ("loopback", "127.0.0.1", True),
        ("loopback", "::1", True),
        ("loopback", "::ffff:127.0.0.1", True),
        ("loopback", "0.0.0.0", False),
        ("loopback", "10.0.0.1", False),
        ("private", "10.1.2.3", True),
        ("private", "100.64.1.1", True),
        ("private", "fd12::1", True),
        ("private", "127.0.0.1", False),
        ("private", "169.254.169.254", False),
        ("private", "100.100.100.200", False),
        ("private", "fd00:ec2::254", False),
        ("private, loopback", "127.0.0.1", True),
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3/16", "10.1.9.9", True),
        ("169.254.0.0/16", "169.254.169.254", True),
        ("169.254.0.0/16", "::ffff:169.254.169.254", True),
        ("fd00::/8", "fd00:ec2::254", True),
        ("[::1]", "::1", True),
        ("LOOPBACK", "127.0.0.1", True),
    ],
)
def test_words_and_networks_allow_what_they_name(
    allowed: str, address: str, permitted: bool
) -> None:
    assert Reach.read(allowed).permits(address, "example.com") is permitted


@pytest.mark.parametrize("host", ["intranet", "INTRANET", "intranet."])
def test_a_name_allows_what_it_leads_to_but_no_credentials(host: str) -> None:
    reach = Reach.read("Intranet.")
    assert reach.permits("10.0.0.1", host)
    assert not reach.permits("169.254.169.254", host)
    assert not reach.permits("10.0.0.1", "other")
    assert not reach.permits("10.0.0.1", "intranet.example.com")


def test_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "loopback")
    assert Reach.of_environment().permits("127.0.0.1", "localhost")
    monkeypatch.delenv("CYME_WEBHOOK_ALLOW")
    assert not Reach.of_environment().permits("127.0.0.1", "localhost")


@given(st.ip_addresses(v=4))
def test_an_embedded_address_may_be_reached_only_if_it_may_be_itself(
    address: ipaddress.IPv4Address,
) -> None:
    reach = Reach.read("")
    alone = reach.permits(str(address), "host")
    number = int(address)
    for outer in (
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    ):
        assert reach.permits(str(outer), "host") is alone


@given(st.ip_addresses())
def test_what_may_be_reached_is_globally_routable(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if Reach.read("").permits(str(address), "host") and address.version == 4:
        assert address.is_global
        assert not address.is_multicast
