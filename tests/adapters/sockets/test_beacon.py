from __future__ import annotations

import random
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import gevent
import pytest

from cyme.adapters.sockets import beacon, multicast
from cyme.adapters.sockets.beacon import Beacon, Signature
from cyme.adapters.sockets.curve import Keys
from cyme.adapters.sockets.endpoints import advertised_host, is_address
from cyme.adapters.sockets.multicast import DATAGRAM_BYTES_MAX, GROUP, PORT, Multicast, places
from cyme.adapters.sockets.traffic import Traffic
from tests.adapters.sockets.ground import SECRET, Branches, Watch
from tests.waiting import eventually

OTHER_SECRET = b"another secret, just as long as that"
ENDPOINT = "tcp://10.0.0.1:8001"


def _signature(cluster: str, secret: bytes = SECRET) -> Signature:
    return Signature(Keys.derived(secret, cluster), cluster)


class Heard:
    """A beacon, what it found and what it counted."""

    def __init__(self, cluster: str, endpoint: str) -> None:
        self.traffic = Traffic()
        self.found: list[str] = []
        self.beacon = Beacon(
            Multicast("127.0.0.1"),
            _signature(cluster),
            endpoint=endpoint,
            found=self.found.append,
            traffic=self.traffic,
        )


@pytest.fixture
def beacons(cluster: str) -> Iterator[Callable[[str], Heard]]:
    started: list[Heard] = []

    def start(endpoint: str) -> Heard:
        started.append(Heard(cluster, endpoint))
        started[-1].beacon.start()
        return started[-1]

    yield start
    for heard in started:
        heard.beacon.stop()


@pytest.fixture
def speaker() -> Iterator[Callable[[bytes], None]]:
    """Return what sends datagrams to the group on the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        interface = socket.inet_aton("127.0.0.1")
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)

        def speak(datagram: bytes) -> None:
            udp.sendto(datagram, (GROUP, PORT))

        yield speak


# --- what a beacon is ----------------------------------------------------------------------------


def test_a_beacon_tells_the_endpoint_to_who_has_the_secret() -> None:
    told = _signature("c").beacon(ENDPOINT)
    other = _signature("c")
    assert other.is_of_cluster(told)
    assert other.endpoint(told) == ENDPOINT
    assert len(told) <= DATAGRAM_BYTES_MAX
    assert SECRET not in told


def test_the_longest_endpoint_fits() -> None:
    endpoint = f"tcp://{'a' * 243}:65535"
    told = _signature("c").beacon(endpoint)
    assert len(told) <= DATAGRAM_BYTES_MAX
    assert _signature("c").endpoint(told) == endpoint


def test_a_branch_knows_its_own_beacon() -> None:
    signature = _signature("c")
    assert not signature.is_of_cluster(signature.beacon(ENDPOINT))


def test_another_cluster_is_passed_over_and_another_secret_is_not_believed() -> None:
    signature = _signature("c")
    assert not signature.is_of_cluster(_signature("d").beacon(ENDPOINT))
    forged = _signature("c", OTHER_SECRET).beacon(ENDPOINT)
    assert signature.is_of_cluster(forged)
    assert signature.endpoint(forged) is None


@pytest.mark.parametrize("place", [b"", b"ipc:///tmp/x", b"tcp://10.0.0.1:0", b"tcp://\xff:1"])
def test_what_is_no_endpoint_is_not_believed_though_it_is_signed(place: bytes) -> None:
    signature = _signature("c")
    said = signature._head + secrets.token_bytes(8) + bytes([len(place)]) + place
    assert signature.endpoint(said + signature._code(said)) is None


def test_a_length_that_is_not_true_is_not_believed() -> None:
    signature = _signature("c")
    place = ENDPOINT.encode()
    said = signature._head + secrets.token_bytes(8) + bytes([len(place) - 1]) + place
    assert signature.endpoint(said + signature._code(said)) is None


def test_no_changed_bit_and_no_cut_is_believed() -> None:
    told, signature = _signature("c").beacon(ENDPOINT), _signature("c")
    for bit in range(len(told) * 8):
        changed = bytearray(told)
        changed[bit // 8] ^= 1 << bit % 8
        datagram = bytes(changed)
        assert not signature.is_of_cluster(datagram) or signature.endpoint(datagram) is None
    for length in range(len(told)):
        cut = told[:length]
        assert not signature.is_of_cluster(cut) or signature.endpoint(cut) is None


# --- finding each other --------------------------------------------------------------------------


def test_branches_find_each_other(branches: Branches) -> None:
    one, other = branches(beacon=True), branches(beacon=True)
    eventually(lambda: other.links.calls_at in one.inlet.found)
    eventually(lambda: one.links.calls_at in other.inlet.found)
    assert one.links.calls_at not in one.inlet.found


def test_two_processes_find_each_other_in_well_under_a_second(cluster: str) -> None:
    # A machine that is busy may hold up any of them; a beacon that is late is so each time.
    assert any(_found_each_other_s(f"{cluster}-{attempt}") < 1.0 for attempt in range(5))


def _found_each_other_s(cluster: str) -> float:
    """Return how long two processes took to find each other once both were up."""
    program = [sys.executable, "-m", "tests.adapters.sockets.found_program"]
    with (
        subprocess.Popen(
            [*program, SECRET.decode(), cluster], stdout=subprocess.PIPE, text=True
        ) as one,
        subprocess.Popen(
            [*program, SECRET.decode(), cluster], stdout=subprocess.PIPE, text=True
        ) as other,
    ):
        try:
            told = [
                [process.stdout.readline().split() for _ in range(2)]
                for process in (one, other)
                if process.stdout is not None
            ]
        finally:
            one.kill()
            other.kill()
    (one_started, one_found), (other_started, other_found) = told
    assert one_found[1] == other_started[1]
    assert other_found[1] == one_started[1]
    both_up_at = max(float(one_started[2]), float(other_started[2]))
    return max(float(one_found[2]), float(other_found[2])) - both_up_at


def test_a_branch_on_all_addresses_and_one_on_the_network_find_each_other(
    branches: Branches,
) -> None:
    address = advertised_host("0.0.0.0")
    if not is_address(address):
        pytest.skip("this machine has no network")
    everywhere = branches("0.0.0.0", beacon=True)
    on_network = branches(address, beacon=True)
    on_loopback = branches("127.0.0.1", beacon=True)
    eventually(lambda: on_network.links.calls_at in everywhere.inlet.found)
    eventually(lambda: everywhere.links.calls_at in on_network.inlet.found)
    eventually(lambda: on_loopback.links.calls_at in everywhere.inlet.found)
    assert on_loopback.links.calls_at not in on_network.inlet.found


def test_branches_find_each_other_over_ipv6(branches: Branches) -> None:
    found = [place.address for place in places("::") if place.family == socket.AF_INET6]
    hosts = [address for address in found if not address.startswith("fe80:")]
    if not hosts:
        pytest.skip("this machine has no IPv6 network")
    host = hosts[0]
    one, other = branches(host, beacon=True), branches(host, beacon=True)
    eventually(lambda: other.links.calls_at in one.inlet.found)
    eventually(lambda: one.links.calls_at in other.inlet.found)


def test_other_clusters_and_other_secrets_never_meet(
    branches: Branches, caplog: pytest.LogCaptureFixture
) -> None:
    one = branches(beacon=True)
    stranger = branches(beacon=True, secret=OTHER_SECRET)
    elsewhere = branches(beacon=True, cluster="another")
    eventually(lambda: one.links.traffic.beacons_refused >= 2)
    eventually(lambda: stranger.links.traffic.beacons_refused >= 2)
    assert one.links.traffic.beacons_heard == 0
    assert elsewhere.links.traffic.beacons_refused == 0
    assert not one.inlet.found + stranger.inlet.found + elsewhere.inlet.found
    # Each says it once, however many it hears.
    assert caplog.text.count("was not made with its secret") == 2


def test_an_endpoint_is_handed_on_at_most_every_two_seconds(
    beacons: Callable[[str], Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beacon, "PERIOD_S", 0.05)
    monkeypatch.setattr(beacon, "FORGET_PERIODS", 200)
    monkeypatch.setattr(beacon, "FOUND_PERIOD_S", 0.5)
    hearer = beacons("tcp://10.0.0.1:1")
    beacons("tcp://10.0.0.2:1")
    began = time.monotonic()
    eventually(lambda: len(hearer.found) >= 3)
    assert time.monotonic() - began >= 0.9
    assert hearer.traffic.beacons_heard > 2 * len(hearer.found)


def test_a_newcomer_is_answered_at_once(
    beacons: Callable[[str], Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beacon, "PERIOD_S", 60.0)
    old = beacons("tcp://10.0.0.1:1")
    gevent.sleep(beacon.FIRST_S[-1] + 0.2)  # it has said its first words
    newcomer = beacons("tcp://10.0.0.2:1")
    eventually(lambda: newcomer.found == ["tcp://10.0.0.1:1"])
    eventually(lambda: old.found == ["tcp://10.0.0.2:1"])


def test_answers_to_many_newcomers_are_few(
    beacons: Callable[[str], Heard],
    cluster: str,
    speaker: Callable[[bytes], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(beacon, "PERIOD_S", 60.0)
    hearer = beacons("tcp://10.0.0.1:1")
    listener = beacons("tcp://10.0.0.2:1")
    eventually(lambda: listener.found)
    signature = _signature(cluster)
    before, began = listener.traffic.beacons_heard, time.monotonic()
    for number in range(100):
        speaker(signature.beacon(f"tcp://10.0.1.{number}:1"))
        gevent.sleep(0.01)  # every one of them is answered, if not together
    eventually(lambda: len(hearer.found) >= 101)
    eventually(lambda: listener.traffic.beacons_heard >= before + 100)
    # Its first words and an answer a second, not a hundred.
    took_s = time.monotonic() - began
    few = len(beacon.FIRST_S) + 1 + took_s / beacon.ANSWER_PERIOD_S
    assert listener.traffic.beacons_heard <= before + 100 + few


def test_a_crowd_speaks_more_seldom() -> None:
    heard = Heard("c", ENDPOINT)
    alone_s = heard.beacon._period_s()
    for number in range(10 * beacon.CROWD):
        heard.beacon._note(f"tcp://10.0.0.1:{number + 1}", time.monotonic())
    assert heard.beacon._period_s() == pytest.approx(10 * alone_s)


def test_there_is_a_most_to_the_endpoints_that_are_remembered() -> None:
    heard = Heard("c", ENDPOINT)
    for number in range(beacon.HEARD_MAX + 10):
        heard.beacon._note(f"tcp://10.0.0.1:{number + 1}", time.monotonic())
    assert len(heard.found) == beacon.HEARD_MAX


def test_noise_and_forged_beacons_are_ignored_and_leave_the_hub_to_others(
    beacons: Callable[[str], Heard], cluster: str, speaker: Callable[[bytes], None]
) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)  # noqa: T201 - it replays the test
    dice = random.Random(seed)
    hearer = beacons("tcp://10.0.0.1:1")
    forged = _signature(cluster, OTHER_SECRET).beacon(ENDPOINT)
    kinds: Counter[str] = Counter()
    with Watch() as watch:
        for _ in range(5_000):
            kind = dice.choice(["noise", "forged", "cut", "long"])
            kinds[kind] += 1
            match kind:
                case "noise":
                    speaker(dice.randbytes(dice.randrange(600)))
                case "forged":
                    speaker(forged)
                case "cut":
                    speaker(forged[: dice.randrange(len(forged))])
                case "long":
                    speaker(forged + bytes(600))
            if kinds.total() % 50 == 0:
                gevent.sleep(0.001)
        speaker(_signature(cluster).beacon("tcp://10.0.0.9:1"))

        def hears_the_true_one() -> bool:
            speaker(_signature(cluster).beacon("tcp://10.0.0.9:1"))
            return hearer.found == ["tcp://10.0.0.9:1"]

        eventually(hears_the_true_one)
    assert hearer.traffic.beacons_refused > 0
    assert watch.busy_s < 0.2
    assert watch.grown_mib < 10


# --- where it cannot work ------------------------------------------------------------------------


def test_without_multicast_the_branch_goes_on_and_says_so_once(
    branches: Branches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(beacon, "PERIOD_S", 0.05)
    with monkeypatch.context() as patched:
        patched.setattr(multicast, "places", lambda _: set())
        one, other = branches(beacon=True), branches(beacon=True)
        gevent.sleep(beacon.FIRST_S[-1] + 0.3)
        one.links.send(other.links.calls_at, [b"ping", b"1"])
        eventually(lambda: [b"pong", b"1"] in one.inlet.messages)
        # One line a branch.
        eventually(lambda: caplog.text.count("name one of them with --join") == 2)
    assert not one.inlet.found


def test_a_network_that_comes_later_is_used(
    beacons: Callable[[str], Heard],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(beacon, "PERIOD_S", 0.05)
    monkeypatch.setattr(beacon, "REFRESH_PERIOD_S", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(multicast, "places", lambda _: set())
        one, other = beacons("tcp://10.0.0.1:1"), beacons("tcp://10.0.0.2:1")
        eventually(lambda: "--join" in caplog.text)
    eventually(lambda: "works" in caplog.text.replace("does not work", ""))
    eventually(lambda: one.found == ["tcp://10.0.0.2:1"])
    eventually(lambda: other.found == ["tcp://10.0.0.1:1"])


def test_a_refused_membership_is_no_end(
    branches: Branches, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(family: socket.AddressFamily, port: int) -> socket.socket:
        raise PermissionError(1, "no")

    monkeypatch.setattr(multicast, "_opened", refuse)
    branches(beacon=True)
    eventually(lambda: "--join" in caplog.text)


def test_loopback_is_a_place_of_its_own() -> None:
    for host in ("127.0.0.1", "127.0.0.5", "::1"):
        assert {place.address for place in places(host)} == {"127.0.0.1"}
    assert "127.0.0.1" in {place.address for place in places("0.0.0.0")}
    assert {place.family for place in places("0.0.0.0")} == {socket.AF_INET}
    assert places("192.0.2.77") == set()
