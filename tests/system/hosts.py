"""Several hosts on one machine: network namespaces, joined by a bridge that a test can cut.

Nothing of the machine's own network is touched: the bridge lives in a namespace of its own, every
cable leads from there into a host, and the namespaces take all of it with them when they go. So
any number of such networks may use the same addresses.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from tests import servers
from tests.system.branches import REQUEST_TIMEOUT_S, STOP_TIMEOUT_S, Branch
from tests.waiting import eventually

SUBNET = "10.231.0"
HTTP_PORT = 8000
REDIS_PORT = 6379

#: Where ``ip netns exec`` looks for files that take the place of those in /etc.
ETC = Path("/etc/netns")

#: All namespaces are called so, and something by chance.
PREFIX = "cyme-test-"

_HERE = Path("/proc/thread-self/ns/net")
_CLONE_NEWNET = 0x40000000
_COMMAND_TIMEOUT_S = 10.0

_BRIDGE = "bridge0"
_CUTS = """
add table bridge cuts
add chain bridge cuts forward { type filter hook forward priority 0; }
add rule bridge cuts forward ether type arp accept
"""

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Host:
    """One host of a network.

    Attributes:
        name: What it is called there.
        address: Its address there.
        namespace: The network namespace that it is.
    """

    name: str
    address: str
    namespace: str

    def command(self, *command: str) -> list[str]:
        """Return the command line that runs a command there."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def connected(self, address: str, port: int) -> socket.socket:
        """Return a socket that is connected from there."""
        with self._entered():
            found = socket.socket()
        found.settimeout(REQUEST_TIMEOUT_S)
        try:
            found.connect((address, port))
        except OSError:
            found.close()
            raise
        return found

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Make the sockets that this thread opens be there; it must not give way meanwhile."""
        with ExitStack() as stack:
            here, there = (
                stack.enter_context(path.open("rb"))
                for path in (_HERE, Path("/run/netns") / self.namespace)
            )
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(here.fileno())


@dataclass
class HostedBranch(Branch):
    """A branch that runs on a host; HTTP is served on the host's loopback interface."""

    host: Host = field(kw_only=True)

    @property
    def command(self) -> Sequence[str]:
        return self.host.command(*super().command)

    def connection(self) -> HTTPConnection:
        connection = super().connection()
        connection.sock = self.host.connected(connection.host, connection.port)
        return connection


class Network:
    """Hosts on one bridge.

    Args:
        room: A directory for what they keep.
    """

    def __init__(self, room: Path) -> None:
        self.hosts: list[Host] = []
        self._room = room
        self._prefix = f"{PREFIX}{uuid4().hex[:6]}"
        self._bridge = f"{self._prefix}-bridge"
        self._made: list[str] = []
        self._carried = _CUTS
        self._processes: list[subprocess.Popen[bytes]] = []

    # --- hosts ----------------------------------------------------------------------------------

    def build(self) -> None:
        """Make the bridge.

        Raises:
            subprocess.CalledProcessError: That is not allowed here.
            FileNotFoundError: A program is missing.
        """
        self._add_namespace(self._bridge)
        _run(
            "ip",
            "-n",
            self._bridge,
            "link",
            "add",
            _BRIDGE,
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        )
        _run("ip", "-n", self._bridge, "link", "set", _BRIDGE, "up")
        self.heal()

    def add_host(self, name: str) -> Host:
        """Plug a new host in; all others know its name, with ``.test`` behind it."""
        host = Host(name, f"{SUBNET}.{len(self.hosts) + 1}", f"{self._prefix}-{name}")
        self._add_namespace(host.namespace)
        cable = ("link", "add", name, "type", "veth", "peer", "name", "eth0")
        _run("ip", "-n", self._bridge, *cable, "netns", host.namespace)
        _run("ip", "-n", self._bridge, "link", "set", name, "master", _BRIDGE, "up")
        _run("ip", "-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        for interface in ("lo", "eth0"):
            _run("ip", "-n", host.namespace, "link", "set", interface, "up")
        # As on most machines; it is also how a program finds out its own address.
        _run("ip", "-n", host.namespace, "route", "add", "default", "dev", "eth0")
        self.hosts.append(host)
        self._tell_names()
        return host

    def add_redis(self) -> str:
        """Plug a host in that is a broker for all; return its URL."""
        if shutil.which("redis-server") is None:
            _missing("redis-server is not installed")
        host = self.add_host("broker")
        command = [
            *("redis-server", "--bind", host.address, "--port", str(REDIS_PORT)),
            *("--protected-mode", "no", "--save", "", "--appendonly", "no"),
            *("--dir", str(self._room)),
        ]
        with (self._room / "redis.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(host.command(*command), stdin=subprocess.DEVNULL, stdout=log)
            )

        def answers() -> bool:
            try:
                with host.connected(host.address, REDIS_PORT) as probe:
                    probe.sendall(b"PING\r\n")
                    return probe.recv(64).startswith(b"+PONG")
            except OSError:
                return False

        eventually(answers, 10.0)
        return f"redis://{host.address}:{REDIS_PORT}/0"

    def close(self) -> None:
        """Remove all of it."""
        for process in self._processes:
            process.kill()
            process.wait(STOP_TIMEOUT_S)
        for namespace in self._made:
            shutil.rmtree(ETC / namespace, ignore_errors=True)
            with suppress(subprocess.SubprocessError):
                _run("ip", "netns", "delete", namespace)
        with suppress(OSError):  # others may have theirs there
            ETC.rmdir()

    def _add_namespace(self, name: str) -> None:
        _run("ip", "netns", "add", name)
        self._made.append(name)

    def _tell_names(self) -> None:
        known = [
            ("127.0.0.1", "localhost"),
            *((each.address, f"{each.name}.test") for each in self.hosts),
        ]
        lines = "".join(f"{address} {name}\n" for address, name in known)
        for each in self.hosts:
            directory = ETC / each.namespace
            directory.mkdir(parents=True, exist_ok=True)
            (directory / "hosts").write_text(lines)

    # --- cuts -----------------------------------------------------------------------------------

    def cut(self, one: Host, *others: Host) -> None:
        """Let nothing through between a host and others, in either direction."""
        for other in others:
            self.cut_one_way(one, other)
            self.cut_one_way(other, one)

    def cut_one_way(self, source: Host, target: Host) -> None:
        """Let nothing through from one host to another; it just disappears."""
        ends = f'iifname "{source.name}" oifname "{target.name}"'
        self._filter(f"add rule bridge cuts forward {ends} drop\n")

    def drop_multicast(self) -> None:
        """Be as networks are that do not carry it from one host to another."""
        self._carried = f"{_CUTS}add rule bridge cuts forward ip daddr 224.0.0.0/4 drop\n"
        self.heal()

    def heal(self) -> None:
        """Let everything through again."""
        self._filter(f"flush ruleset\n{self._carried}")

    def _filter(self, rules: str) -> None:
        _run("ip", "netns", "exec", self._bridge, "nft", "-f", "-", said=rules)


@contextmanager
def network(room: Path) -> Iterator[Network]:
    """Yield a network without hosts; skip the test where the machine forbids such, or fail it."""
    made = Network(room)
    try:
        try:
            made.build()
        except FileNotFoundError as exc:
            _missing(f"{exc.filename} is not installed")
        except subprocess.CalledProcessError as exc:
            _missing(exc.stderr.decode(errors="replace").strip())
        yield made
    finally:
        made.close()


def _missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where namespaces are required."""
    reason = f"no hosts can be made of network namespaces here, as root: {reason}"
    if servers.is_required("namespaces"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _run(*command: str, said: str = "") -> None:
    subprocess.run(
        command, check=True, capture_output=True, input=said.encode(), timeout=_COMMAND_TIMEOUT_S
    )


def _set_namespace(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")
