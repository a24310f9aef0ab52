"""Ports of the cluster: its branches, and the sockets between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from cyme.core.branches import BranchInfo, ClusterView
from cyme.core.model import BranchId, Instance
from cyme.core.status import InstanceStatus


class Members(Protocol):
    """The branches of the cluster, this one among them."""

    def ids(self) -> Sequence[BranchId]:
        """Return the ids of all branches that are known, sorted."""

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch, None if it is not known."""

    def view(self) -> ClusterView:
        """Return the cluster as this branch sees it."""

    def status(self, instance: Instance) -> tuple[InstanceStatus, float]:
        """Return how an instance of another branch is, and how old that knowledge is in seconds.

        Its state is unknown where its owner is not there, or has not told yet.
        """

    def may_act(self) -> bool:
        """Tell whether this branch may act on what it owns.

        It may not while it has not learnt what became of it: at a start until others were asked,
        and after it stood still until it has heard of them again.
        """

    def forward(
        self, branch: BranchId, call: str, arguments: Mapping[str, object], *, timeout_s: float
    ) -> object:
        """Have another branch perform a call of the service, and return what it returned.

        Args:
            branch: Who is to perform it: the owner of what it concerns.
            call: Name of the call, one of ``cyme.runtime.service.calls.CALLS``.
            arguments: Its keyword arguments, the caller among them.
            timeout_s: What is left of the caller's time.

        Raises:
            OwnerUnreachable: The branch cannot be asked.
            CymeError: Whatever the call raised there.
        """

    def take(self, instance: Instance, *, timeout_s: float) -> Instance:
        """Take an instance over from its living owner, which asks for it.

        Its worker is started here first; when it runs this branch becomes its home and owner.

        Args:
            instance: Its record.
            timeout_s: How long it may take, in seconds.

        Returns:
            The record as it is then.

        Raises:
            WorkerStartFailed: The worker did not come to run here; nothing changed.
            DeadlineExceeded: It took too long; it goes on.
        """

    def drain(self, drained: bool, *, remembered: bool = True) -> None:
        """Say whether this branch takes instances.

        Args:
            drained: Whether it takes none.
            remembered: Whether that holds over restarts.
        """


class Inlet(Protocol):
    """Takes in what arrives at the sockets of the cluster; must neither wait nor raise."""

    def on_published(self, frames: Sequence[bytes]) -> None:
        """Take a message that another branch published."""

    def on_directed(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Take a message that was sent to this branch; ``link`` leads back to its sender."""

    def on_found(self, endpoint: str) -> None:
        """Take note of a branch's endpoint that the beacon found."""


class Links(Protocol):
    """The sockets of the cluster. No method waits; what cannot be sent now is dropped."""

    @property
    def calls_at(self) -> str:
        """The endpoint of the ROUTER socket as others reach it, ``tcp://host:port``."""

    @property
    def beats_at(self) -> str:
        """The endpoint of the PUB socket as others reach it."""

    def start(self, inlet: Inlet) -> None:
        """Begin to read, and to announce this branch by the beacon.

        Args:
            inlet: Who takes in what arrives.
        """

    def stop(self, timeout_s: float) -> None:
        """Close all sockets; what waits to be sent has that long to go."""

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish a message to all who listen."""

    def send(self, endpoint: str, frames: Sequence[bytes]) -> None:
        """Send a message to the ROUTER socket at an endpoint."""

    def reply(self, link: bytes, frames: Sequence[bytes]) -> None:
        """Send a message back by the connection that one came by."""

    def listen(self, endpoints: Collection[str]) -> None:
        """Listen to the PUB sockets at these endpoints, and to no others."""
