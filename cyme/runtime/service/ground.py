"""What all use cases stand on: the parts they work with, and the rules they share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from cyme.core.access import Caller, Role, require
from cyme.core.model import App, BranchId, Broker, Instance, Queue, Record, WorkerSpec
from cyme.core.parameters import role_needed
from cyme.core.ports import Clock, Control, Members, TaskGateway
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import DeadlineExceeded, NotFound, PreconditionFailed
from cyme.runtime.journal import Journal
from cyme.runtime.later import Later
from cyme.runtime.locks import Locks
from cyme.runtime.replica import Replica

APPS_MAX = 10_000
QUEUES_PER_APP_MAX = 10_000

#: The ``if_match`` of what must not exist yet; records count their versions from 1.
MUST_BE_NEW = 0

#: So many names are told in a message that refuses because of them.
NAMES_TOLD_MAX = 10

R = TypeVar("R", App, Queue, Instance)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written(Generic[R]):
    """What became of a write.

    Attributes:
        record: The record as it is now.
        created: Whether it did not exist before.
        changed: Whether anything was written.
    """

    record: R
    created: bool
    changed: bool


class Supervision(Protocol):
    """What the use cases ask of the supervisor, of instances of this branch."""

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance."""

    def wait_for(
        self, instance: str, states: Collection[InstanceState], timeout_s: float
    ) -> InstanceStatus:
        """Wait until an instance is in one of the states; return how it is then, or at the end."""

    def restart(self, instance: str) -> None:
        """Restart a worker warmly, and wipe what it used of its restart budget."""


class Controlling(Protocol):
    """Where the use cases get remote control from."""

    def control(self, broker: Broker) -> Control:
        """Return a control of the broker that may be used by many at a time."""


class Ground:
    """The parts, and the rules that every use case follows.

    Args:
        replica: The records.
        supervisor: What is known of the workers of this branch.
        brokers: Remote control.
        tasks: Sends tasks and learns their outcomes.
        journal: Where every write is told.
        members: The branches.
        clock: Time.
        default_broker: For apps that name none.
        default_result_backend: The result backend that goes with it, if it has its own.
    """

    def __init__(
        self,
        *,
        replica: Replica,
        supervisor: Supervision,
        brokers: Controlling,
        tasks: TaskGateway,
        journal: Journal,
        members: Members,
        clock: Clock,
        default_broker: Broker,
        default_result_backend: str | None = None,
    ) -> None:
        self._replica = replica
        self._supervisor = supervisor
        self._brokers = brokers
        self._tasks = tasks
        self._journal = journal
        self._members = members
        self._clock = clock
        self._default_broker = default_broker
        self._default_result_backend = default_result_backend
        self._locks = Locks(clock)
        self._later = Later()
        self._effective: dict[str, tuple[Instance, App | None, WorkerSpec]] = {}

    # --- who does it ----------------------------------------------------------------------------

    def _at_owner(
        self,
        owner: BranchId,
        call: str,
        perform: Callable[..., T],
        *,
        timeout_s: float,
        **arguments: object,
    ) -> T:
        """Perform a call here if this branch is the owner, else have the owner perform it.

        Args:
            owner: The branch that owns what the call is about.
            call: The name by which another branch knows the call.
            perform: What performs it here; takes ``timeout_s`` and the arguments.
            timeout_s: How long it may take, in seconds.
            **arguments: Of the call.

        Raises:
            OwnerUnreachable: The owner is another branch and cannot be asked.
            CymeError: Whatever the call raises.
        """
        if owner == self._replica.branch_id:
            return perform(timeout_s=timeout_s, **arguments)
        return cast(T, self._members.forward(owner, call, arguments, timeout_s=timeout_s))

    def _allow_change(self, caller: Caller, changes: Mapping[str, object]) -> None:
        """Let the caller make changes to a spec, if its role is high enough for all of them."""
        role, deed = role_needed(changes)
        if role > Role.OPERATOR:
            require(caller, role, deed)

    # --- what exists ----------------------------------------------------------------------------

    def app(self, name: str) -> App:
        """Return an app.

        Raises:
            NotFound: There is none of that name.
        """
        app = self._replica.app(name)
        if app is None:
            raise NotFound("app", name, f"PUT /{name}/ creates it.")
        return app

    def instance(self, name: str, app: str | None = None) -> Instance:
        """Return an instance.

        Args:
            name: The instance.
            app: The app that it must belong to, None for any.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
        """
        instance = self._replica.instance(name)
        if instance is None:
            raise NotFound("instance", name, "GET /instances/ lists all of them.")
        if app is not None and instance.app != app:
            self.app(app)
            raise NotFound("instance", name, f"There is one in the app {instance.app!r}.")
        return instance

    def queue(self, app: str, name: str) -> Queue:
        """Return the declaration of a queue.

        Raises:
            NotFound: There is no such app, or the app has no such queue.
        """
        queue = self._replica.queue(self.app(app).name, name)
        if queue is None:
            raise NotFound("queue", name, f"PUT /{app}/queues/{name}/ declares it.")
        return queue

    # --- writing --------------------------------------------------------------------------------

    def _deadline(self, timeout_s: float) -> float:
        return self._clock.monotonic() + timeout_s

    def _commit(self, records: Sequence[Record], deadline: float) -> None:
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("There was no time left to write; nothing changed. Try again.")
        self._replica.commit(records, left_s)

    @contextmanager
    def _holding_app(self, app: str, deadline: float, *, alone: bool = False) -> Iterator[None]:
        """Hold the lock of an app: alone to change or delete it, else to change what is in it."""
        lock = self._locks.exclusive if alone else self._locks.shared
        with lock(("app", app), deadline=deadline):
            yield

    def _tell(
        self,
        kind: str,
        caller: Caller,
        deed: str,
        *,
        app: str,
        instance: str | None = None,
        **data: object,
    ) -> None:
        """Record a write: what was done, and by whom."""
        reason = f"{deed} by {caller.name}"
        self._journal.record(kind, reason, app=app, instance=instance, caller=caller.name, **data)


def check_match(kind: str, record: App | Queue | Instance | None, if_match: int | None) -> None:
    """Check that a record is at the version that the caller has read.

    Raises:
        PreconditionFailed: It is not, or there is no record.
    """
    if if_match is None or (if_match == MUST_BE_NEW and record is None):
        return
    if record is None:
        raise PreconditionFailed(
            f"The {kind} does not exist (any more), and you have read version {if_match}. "
            "Leave If-Match out to create it."
        )
    if if_match == MUST_BE_NEW:
        raise PreconditionFailed(f"The {kind} {record.name!r} exists already; it was to be new.")
    if record.version != if_match:
        raise PreconditionFailed(
            f"The {kind} {record.name!r} is at version {record.version} now, not at {if_match}. "
            "Read it again and decide again."
        )


def names_told(names: Sequence[str]) -> str:
    """Return names as they read in a message, not too many of them."""
    told = ", ".join(names[:NAMES_TOLD_MAX])
    more = len(names) - NAMES_TOLD_MAX
    return f"{told} and {more} more" if more > 0 else told
