"""A branch's way into its cluster: the secret, the sockets, the memory of earlier lives."""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import gevent
import psutil
from gevent.threadpool import ThreadPool

import cyme
from cyme.adapters.cluster_memory import ClusterMemory, Remembered
from cyme.adapters.cluster_secret import ensure_secret, read_secret
from cyme.adapters.sockets import ZmqLinks
from cyme.core.cluster.members import Profile
from cyme.core.cluster.messages import Hello, Sender
from cyme.core.cluster.node import NodeSettings
from cyme.core.cluster.ownership import OwnershipPolicy
from cyme.core.model import BranchId
from cyme.core.ports import Clock
from cyme.errors import DuplicateBranch, ProtocolError, SettingsError, TooLarge
from cyme.runtime.cluster import wire
from cyme.runtime.cluster.driver import Driver
from cyme.runtime.cluster.members import ClusterMembers
from cyme.runtime.cluster.performer import Performer, UseCases
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.runtime.service import Service
from cyme.runtime.service.ground import names_told
from cyme.settings import Settings, shared_dir

logger = logging.getLogger(__name__)

#: The start waits so long for other branches, in seconds; more than the node takes at most.
JOIN_TIMEOUT_S = 10.0

#: The end waits so long for a small file that is being written, in seconds.
WRITER_STOP_TIMEOUT_S = 2.0

#: Up to so many branches survey their workers as often as they were told.
BRANCHES_UNSTRETCHED = 10

_NONCE_BYTES = 8
_SEED_BITS = 64

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What others are told of a branch's HTTP API and log.

    Attributes:
        url: Where HTTP is served, or None.
        port: The port of that, or None.
        logfile: Where the branch logs to, or None for its standard error.
    """

    url: str | None
    port: int | None
    logfile: str | None


class OneByOne:
    """Writes small files in a native thread, one after the other, so that no disk holds the hub."""

    def __init__(self) -> None:
        self._thread = ThreadPool(1)

    def __call__(self, write: Callable[[], T]) -> T:
        """Write, and return when it is done."""
        result: T = self._thread.apply(write)
        return result

    def stop(self) -> None:
        """End the thread; one that waits for a disk is left to it."""
        with gevent.Timeout(WRITER_STOP_TIMEOUT_S, False):
            self._thread.kill()


class Clustering:
    """A branch's part in its cluster.

    Args:
        settings: What the branch was told.
        directory: The branch's directory.
        branch_id: The branch.
        served: What others are told of its HTTP API.
        replica: The records, which must be loaded.
        journal: Where events are told.
        clock: Time.
        on_halt: Ends the branch, if another one of its id has its place.

    Attributes:
        members: The branches of the cluster.

    Raises:
        StartupError: The secret cannot be used, or the addresses cannot be bound.
        StorageUnavailable: The branch's directory cannot be written.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Path,
        branch_id: str,
        served: Served,
        replica: Replica,
        journal: Journal,
        clock: Clock,
        on_halt: Callable[[str], None],
    ) -> None:
        memory = ClusterMemory(directory)
        self._in_turn = OneByOne()
        self._links = opened_links(settings, secret_of(settings))
        self._name = settings.cluster
        tag = wire.cluster_tag(settings.cluster)
        node = node_settings(settings, branch_id, self._links, memory.begin_life(), served)
        check_profile(node, tag)
        self._driver = Driver(
            node,
            cluster=tag,
            links=self._links,
            replica=replica,
            journal=journal,
            clock=clock,
            remember=lambda known: self._in_turn(partial(memory.keep_endpoints, known)),
            on_halt=on_halt,
        )
        self.members = ClusterMembers(
            self._driver,
            name=settings.cluster,
            replica=replica,
            clock=clock,
            keep_drained=lambda drained: self._in_turn(partial(memory.keep_drained, drained)),
        )
        self.is_exposed = not _is_loopback(settings.bind.host)
        self.start = self._driver.start
        self.attach = self._driver.attach
        self.leave = self._driver.leave
        self.may_act = self._driver.may_act
        self.keeps = self._driver.keeps
        self.on_status = self._driver.on_status
        self.on_prepared = self._driver.on_prepared

    def serve(self, use_cases: UseCases) -> None:
        """Perform the calls of other branches from now on."""
        self._driver.serve(Performer(use_cases))

    def wait_joined(self) -> None:
        """Wait until the branch has met the others, or nobody answered.

        Raises:
            DuplicateBranch: Another branch of the same id is alive.
        """
        halted = self._driver.wait_joined(JOIN_TIMEOUT_S)
        if halted:
            raise DuplicateBranch(halted)

    def stop(self) -> None:
        """Say that the branch has stopped, and close the sockets."""
        self._driver.stop()
        self._in_turn.stop()

    def stretch(self) -> float:
        """Return by how much to stretch the surveys, which all workers of a broker hear."""
        return max(1.0, self.members.alive() / BRANCHES_UNSTRETCHED)

    def hub_lag_s(self) -> float:
        """Return by how much the hub was late lately, in seconds."""
        return self._driver.node.lag_s

    def sockets(self) -> Mapping[str, int]:
        """Return what passed the sockets and what did not, by what it is."""
        return asdict(self._links.traffic)

    def faults(self) -> int:
        """Return how many messages were dropped as they were not of the protocol."""
        return self._driver.faults

    def described(self) -> str:
        """Return a few words for the banner: the name, the address, who is there."""
        others = self.members.alive() - 1
        told = {0: "no other branch yet", 1: "1 other branch"}.get(others, f"{others} others")
        return f"{self._name}, {told} (at {self._links.calls_at})"


def check(settings: Settings) -> None:
    """Refuse what would let strangers in.

    Raises:
        SettingsError: The cluster's sockets can be reached from other machines, and there is no
            secret that keeps others out.
    """
    if settings.cluster_secret is None and not _is_loopback(settings.bind.host):
        raise SettingsError(
            f"--bind {settings.bind} can be reached from other machines, and whoever joins a "
            "cluster can run code on all of it. Make a secret, copy it to every machine and name "
            "it to each branch:\n  cyme-branch secret cyme.secret\n"
            f"  cyme-branch --bind {settings.bind} --cluster-secret cyme.secret"
        )


def secret_of(settings: Settings) -> bytes:
    """Return the secret of the cluster; that of a cluster on this machine is made if need be.

    Raises:
        StartupError: The file cannot be read, or others can read it.
    """
    if settings.cluster_secret is not None:
        return read_secret(settings.cluster_secret.absolute())
    return ensure_secret(shared_dir(settings) / f"{settings.cluster}.secret")


def opened_links(settings: Settings, secret: bytes) -> ZmqLinks:
    """Return the sockets of the cluster, bound but silent.

    Raises:
        AddressUnavailable: The address cannot be bound.
    """
    links = ZmqLinks(
        settings.bind.host,
        settings.bind.port,
        advertise=settings.advertise,
        secret=secret,
        cluster=settings.cluster,
    )
    links.open()
    return links


def node_settings(
    settings: Settings, branch_id: str, links: ZmqLinks, known: Remembered, served: Served
) -> NodeSettings:
    """Return what the node of this branch is told."""
    return NodeSettings(
        branch=BranchId(branch_id),
        boot=known.boot,
        profile=Profile(
            calls_at=links.calls_at,
            beats_at=links.beats_at,
            nonce=secrets.token_hex(_NONCE_BYTES),
            url=served.url,
            port=served.port,
            loglevel=settings.loglevel,
            logfile=served.logfile,
            numc=settings.numc,
            sup_interval_s=settings.sup_interval_s,
            instances_max=settings.capacity,
            version=cyme.__version__,
            labels=tuple(sorted(dict(settings.labels).items())),
            drained=known.drained,
        ),
        seed=secrets.randbits(_SEED_BITS),
        joins=tuple(f"tcp://{peer}" for peer in settings.join),
        known=known.endpoints,
        policy=OwnershipPolicy(takeover_s=settings.takeover_s),
        size_of=wire.size_of,
    )


def check_profile(node: NodeSettings, tag: bytes) -> None:
    """Refuse to say of this branch what others would not take.

    Raises:
        SettingsError: Some of it is too long, or no address.
    """
    sender = Sender(node.branch, node.boot, 0)
    hello = Hello(sender=sender, profile=node.profile, checked=False)
    try:
        wire.unpack(wire.pack(hello, cluster=tag), cluster=tag, published=False)
    except (ProtocolError, TooLarge) as exc:
        raise SettingsError(
            f"Other branches would not take what this one says of itself: {exc.detail} Shorten the "
            "path of the log, or name another address with --advertise."
        ) from exc


def load_of_machine() -> float:
    """Return how many processes wanted a processor, on average over a minute."""
    return os.getloadavg()[0]


def memory_of_process() -> int:
    """Return the resident memory of this process in bytes, without its workers'."""
    memory: int = psutil.Process().memory_info().rss
    return memory


def drain(service: Service, timeout_s: float) -> None:
    """Hand all instances over to other branches, and say which stay."""
    left = service.drain_and_wait(timeout_s)
    if left:
        logger.warning(
            "%d instances could not be handed over and stay with this branch: %s",
            len(left),
            names_told([f"{name} ({why})" for name, why in left.items()]),
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
