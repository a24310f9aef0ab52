"""What all use cases stand on: the parts they work with, and the rules they share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, cast

from gevent.event import Event as Signalled

from cyme.core.access import Caller, Role, require
from cyme.core.branches import BranchState
from cyme.core.model import App, BranchId, Broker, Instance, Queue, Record, WorkerSpec
from cyme.core.names import RESERVED_APP_NAMES
from cyme.core.parameters import role_needed
from cyme.core.ports import Clock, Control, Members, TaskGateway
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import (
    CymeError,
    DeadlineExceeded,
    NotFound,
    NotOwner,
    OwnerUnreachable,
    PreconditionFailed,
)
from cyme.runtime.journal import Journal
from cyme.runtime.later import Later
from cyme.runtime.locks import Locks
from cyme.runtime.replica import Replica

logger = logging.getLogger(__name__)

APPS_MAX = 10_000
QUEUES_PER_APP_MAX = 10_000

#: What another branch answers is taken in within so long, in seconds, or comes by gossip.
LEARN_TIMEOUT_S = 2.0

#: When to try again what belongs to a branch that is not there: others may have taken it then.
OWNER_RETRY_AFTER_S = 15.0

#: The ``if_match`` of what must not exist yet; records count their versions from 1.
MUST_BE_NEW = 0

#: So many names are told in a message that refuses because of them.
NAMES_TOLD_MAX = 10

#: States in which a branch cannot be asked, as they read after 'has'.
ABSENT = {BranchState.FAILED: "failed", BranchState.LEFT: "left"}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an instance is, and how fresh that is.

    Attributes:
        status: How it is.
        as_of: When that was so, seconds since 1970 UTC.
        age_s: How long ago that was; None where this branch runs the instance itself.
    """

    status: InstanceStatus
    as_of: float
    age_s: float | None = None


class Supervision(Protocol):
    """What the use cases ask of the supervisor, of instances of this branch."""

    def status(self, instance: str) -> InstanceStatus:
        """Return the state of an instance."""

    def wait_for(
        self, instance: str, states: Collection[InstanceState], timeout_s: float
    ) -> InstanceStatus:
        """Wait until an instance is in one of the states; return how it is then, or at the end."""

    def wait_gone(self, instance: str, timeout_s: float) -> bool:
        """Wait until nothing runs of an instance that went; tell whether that is so."""

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
        load: Tells how many processes wanted a processor of this machine lately.
        hub_lag_s: Tells by how much this process's hub was late lately, in seconds.
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
        load: Callable[[], float] = lambda: 0.0,
        hub_lag_s: Callable[[], float] = lambda: 0.0,
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
        self._load = load
        self._hub_lag_s = hub_lag_s
        self._locks = Locks(clock)
        self._later = Later()
        self._effective: dict[str, tuple[Instance, App | None, WorkerSpec]] = {}
        self._moving: set[str] = set()  # instances on their way to other branches
        self._taking: set[str] = set()  # instances on their way to this branch
        self._drain_changed = Signalled()  # look again at what is to leave this branch
        self._is_emptying = False
        self._is_rebalancing = False
        self._is_stopping = False

    # --- who does it ----------------------------------------------------------------------------

    def _at_owner(
        self,
        owner: BranchId,
        perform: Callable[..., T],
        /,
        *,
        timeout_s: float,
        **arguments: object,
    ) -> T:
        """Have the owner of a record perform a call, and its next owner if it has changed hands.

        Args:
            owner: The branch that owns what the call is about, as far as is known here.
            perform: What performs it, a method that is marked as ``remote``.
            timeout_s: How long it may take, in seconds.
            **arguments: Of the call.

        Raises:
            OwnerUnreachable: The owner is another branch and cannot be asked.
            NotOwner: It changes hands at this moment.
            CymeError: Whatever the call raises.
        """
        deadline = self._deadline(timeout_s)
        try:
            return self._at(owner, perform, timeout_s=timeout_s, **arguments)
        except NotOwner as exc:
            next_owner = BranchId(exc.owner)
        return self._at(next_owner, perform, timeout_s=self._left_s(deadline), **arguments)

    def _at(
        self,
        branch: BranchId,
        perform: Callable[..., T],
        /,
        *,
        timeout_s: float,
        **arguments: object,
    ) -> T:
        """Have a branch perform a call; arguments and errors as ``_at_owner``."""
        if branch == self._replica.branch_id:
            return perform(timeout_s=timeout_s, **arguments)
        self._check_askable(branch)
        result = self._members.forward(branch, perform.__name__, arguments, timeout_s=timeout_s)
        self._learn(result)
        return cast(T, result)

    def _check_askable(self, branch: BranchId) -> None:
        """Check that a branch is there, as far as is known.

        Raises:
            OwnerUnreachable: It is not.
        """
        info = self._members.info(branch)
        if info is None or info.state in ABSENT:
            why = "is not known here" if info is None else f"has {ABSENT[info.state]}"
            raise OwnerUnreachable(
                f"Branch {branch!r}, which is to do this, {why} and was not asked. Start it, or "
                "try again when another branch has taken over what it ran.",
                retry_after_s=OWNER_RETRY_AFTER_S,
            )

    def _is_absent(self, branch: str) -> bool:
        """Tell whether a branch is not known, or held to have failed or left."""
        info = self._members.info(branch)
        return info is None or info.state in ABSENT

    def _learn(self, result: object) -> None:
        """Take in the records that another branch answered with, before the gossip brings them.

        Who wrote through this branch then reads here what it wrote.
        """
        match result:
            case Written(record=record):
                records: list[Record] = [record]
            case Instance():
                records = [result]
            case Sequence():
                records = [each for each in result if isinstance(each, Instance)]
            case _:
                return
        self._take_in(records)

    def _take_in(self, records: Sequence[Record]) -> None:
        """Take in records that are true elsewhere; if that fails the gossip will bring them."""
        try:
            self._replica.absorb(records, LEARN_TIMEOUT_S)
        except CymeError as exc:
            logger.info("%d records are left to the gossip: %s", len(records), exc.detail)

    def _owned(self, name: str, app: str | None = None) -> Instance:
        """Return an instance that this branch owns.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
            NotOwner: Another branch owns it.
        """
        instance = self.instance(name, app)
        if instance.owner != self._replica.branch_id:
            raise NotOwner(instance.owner, instance.epoch)
        return instance

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
            is_reserved = name in RESERVED_APP_NAMES
            raise NotFound(
                "app",
                name,
                "That name is reserved." if is_reserved else f"PUT /{name}/ creates it.",
            )
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

    def _left_s(self, deadline: float) -> float:
        """Return how much time is left.

        Raises:
            DeadlineExceeded: None is.
        """
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("There was no time left to write; nothing changed. Try again.")
        return left_s

    def _commit(self, records: Sequence[Record], deadline: float) -> None:
        self._replica.commit(records, self._left_s(deadline))

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
