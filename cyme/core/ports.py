"""Ports: what the runtime needs of the world, as protocols that the adapters fulfil.

Every method that waits has a deadline, given in seconds, and raises an error of
``cyme.errors``; none lets a foreign exception through. A method may switch greenlets but never
blocks the process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from cyme.core.branches import BranchInfo, ClusterView
from cyme.core.model import BranchId, Broker, Instance, Queue, Record
from cyme.core.status import InstanceStatus
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.core.workers import Launch, Look, Process, Report


class Clock(Protocol):
    """Time."""

    def monotonic(self) -> float:
        """Return seconds that never fall, for measuring."""

    def wall(self) -> float:
        """Return seconds since 1970 UTC, for showing and for stamps."""


class Store(Protocol):
    """Durable storage of records."""

    def load(self) -> Sequence[Record]:
        """Return all records, tombstones included.

        Raises:
            DatabaseUnusable: The database cannot be read.
        """

    def write(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Store the records, all or none; they are durable when this returns.

        Raises:
            StorageFull: There is no room; nothing was written.
            StorageUnavailable: The database cannot be written; nothing was written.
            DeadlineExceeded: It took too long; whether it was written is not known.
        """

    def forget(self, records: Sequence[Record]) -> None:
        """Remove tombstones that nobody needs any more."""


class Workers(Protocol):
    """Worker processes of this machine, started through celery multi."""

    def start(self, launch: Launch) -> Process:
        """Start a worker and return its identity; it has not proved itself yet.

        Raises:
            WorkerStartFailed: The process could not be made; the message says why.
        """

    def find(self, instances: Iterable[str]) -> Mapping[str, Process]:
        """Return the living workers of the instances that an earlier branch left running."""

    def strays(self, instances: Iterable[str]) -> Sequence[str]:
        """Return names of instances with living workers in this directory that are not listed."""

    def look(self, process: Process) -> Look:
        """Look at one worker process; cheap enough for every second."""

    def signal(self, instance: str, process: Process, signal: str) -> None:
        """Send ``TERM``, ``QUIT``, ``CONT`` or ``KILL``; KILL reaches the whole process tree.

        Only the process of that identity is signalled; if it is gone nothing happens.
        """

    def sweep(self, instance: str) -> int:
        """Kill whatever a worker of the instance left behind; return how many processes."""

    def log_tail(self, instance: str, lines_max: int) -> Sequence[str]:
        """Return the last lines of the worker's log; none if there is no log."""

    def discard(self, instance: str) -> None:
        """Remove the files of a deleted instance."""


class Machine(Protocol):
    """This machine, as far as workers need something of it."""

    def lacks(self, python: str, workdir: str | None) -> str:
        """Return what a worker would lack on this machine, in words; empty if it lacks nothing.

        Args:
            python: Absolute path of its interpreter.
            workdir: Absolute path of the directory it runs in, None for one of its own.
        """


class Control(Protocol):
    """Remote control of the workers on one broker; calls are made one after the other."""

    def survey(
        self, nodes: Sequence[str], *, with_limits: bool, timeout_s: float
    ) -> Mapping[str, Report]:
        """Ask all the nodes in one broadcast; return what those say that answered in time.

        With no nodes nothing is broadcast: it only makes sure that the broker answers.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

    def add_consumer(self, node: str, queue: Queue, *, timeout_s: float) -> None:
        """Tell a worker to consume from a queue, declaring it.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The worker refused; the message is its own.
            DeadlineExceeded: The worker did not answer.
        """

    def cancel_consumer(self, node: str, queue: str, *, timeout_s: float) -> None:
        """Tell a worker to stop consuming from a queue; raises as ``add_consumer``."""

    def autoscale(self, node: str, minimum: int, maximum: int, *, timeout_s: float) -> None:
        """Set a worker's concurrency limits; raises as ``add_consumer``."""

    def stats(self, node: str, *, timeout_s: float) -> Mapping[str, object]:
        """Return what ``celery inspect stats`` says of a worker; raises as ``add_consumer``."""

    def check_queue(self, queue: Queue, *, timeout_s: float) -> None:
        """Declare the queue on the broker, so that a bad declaration harms no worker.

        Raises:
            BrokerRefused: The broker refuses the declaration; the message says why.
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""


class Controls(Protocol):
    """Makes the control of a broker."""

    def control(self, broker: Broker) -> Control:
        """Return a new control of the broker; it connects at its first call."""


class TaskGateway(Protocol):
    """Sends tasks and learns what became of them."""

    def new_id(self) -> str:
        """Return a task id: a UUID of version 8 that carries a hint of this branch."""

    def send(
        self,
        task_id: str,
        *,
        broker: Broker,
        result_backend: str | None,
        queue: Queue,
        request: WebhookRequest,
        options: SendOptions,
        timeout_s: float,
    ) -> None:
        """Declare the queue and publish the task; the broker has it when this returns.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The broker refuses the queue's declaration.
        """

    def outcome(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return what is known of a task now.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
        """

    def wait(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return the task's outcome once it is final, or what is known at the deadline.

        Holds no thread and no connection of its own while it waits.

        Raises:
            BrokerUnavailable: The result store cannot be reached.
        """

    def stop(self, timeout_s: float) -> None:
        """Close all connections."""


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

    def drain(self, drained: bool) -> None:
        """Say whether this branch takes instances; it is remembered over restarts."""


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
