"""What all use cases stand on: the parts they work with, and the rules they share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from gevent.event import Event as Signalled
from gevent.lock import BoundedSemaphore

from cyme.core.access import Caller, Role, require
from cyme.core.alerts import Alert
from cyme.core.branches import BranchState
from cyme.core.changes import spec_with, what_changed
from cyme.core.model import App, BranchId, Broker, Instance, Queue, Record, WorkerSpec
from cyme.core.names import RESERVED_APP_NAMES
from cyme.core.parameters import check_changes, role_needed
from cyme.core.ports import (
    Clock,
    EventListeners,
    Members,
    TaskGateway,
    TokenKeeping,
    WorkerLogs,
)
from cyme.core.vitals import ClusterVitals
from cyme.errors import (
    CymeError,
    DeadlineExceeded,
    NotFound,
    NotOwner,
    OwnerUnreachable,
)
from cyme.runtime.feed import Feed
from cyme.runtime.journal import Journal
from cyme.runtime.later import Later
from cyme.runtime.locks import Locks
from cyme.runtime.replica import Replica
from cyme.runtime.service.answers import Written
from cyme.runtime.service.parts import Controlling, Supervision, Watching
from cyme.runtime.telemetry.telemetry import SILENCE, Telemetry
from cyme.runtime.telemetry.unwatched import UNWATCHED

logger = logging.getLogger(__name__)

APPS_MAX = 10_000
QUEUES_PER_APP_MAX = 10_000

#: What another branch answers is taken in within so long, in seconds, or comes by gossip.
LEARN_TIMEOUT_S = 2.0

#: When to try again what belongs to a branch that is not there: others may have taken it then.
OWNER_RETRY_AFTER_S = 15.0

#: So many names are told in a message that refuses because of them.
NAMES_TOLD_MAX = 10

#: States in which a branch cannot be asked, as they read after 'has'.
ABSENT = {BranchState.FAILED: "failed", BranchState.LEFT: "left"}

T = TypeVar("T")


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
        memory_bytes: Tells the resident memory of this process.
        watching: Watches the queues.
        logs: The logs of the workers of this branch; None where they cannot be read.
        tokens: The tokens of this branch; None where it keeps none.
        alerts: Returns the trouble that this branch tells of.
        event_listeners: Makes listeners to what workers tell of their tasks.
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
        memory_bytes: Callable[[], int] = lambda: 0,
        watching: Watching = UNWATCHED,
        logs: WorkerLogs | None = None,
        tokens: TokenKeeping | None = None,
        alerts: Callable[[], tuple[Alert, ...]] = tuple,
        event_listeners: EventListeners = SILENCE,
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
        self.feed = Feed(journal=journal, members=members, clock=clock, branch_id=replica.branch_id)
        self.telemetry = Telemetry(
            listeners=event_listeners,
            replica=replica,
            members=members,
            clock=clock,
            default_broker=default_broker,
            feed=self.feed,
        )
        self._memory_bytes = memory_bytes
        self._watching = watching
        self._logs = logs
        self._tokens = tokens
        self._alerts = alerts
        self._followers = 0  # readers that follow a log
        self._log_waits = 0  # calls that wait for more of a log
        self._gathering = BoundedSemaphore(1)
        self._gathered: tuple[float, ClusterVitals] | None = None
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
        instance: Instance | BranchId,
        perform: Callable[..., T],
        /,
        *,
        timeout_s: float,
        **arguments: object,
    ) -> T:
        """Have the owner of an instance perform a call, and its next owner if it changed hands.

        Args:
            instance: What the call is about, as far as it is known here; of an instance that is
                still to be created the branch that it goes to.
            perform: What performs it, a method that is marked as ``remote``.
            timeout_s: How long it may take, in seconds.
            **arguments: Of the call.

        Raises:
            OwnerUnreachable: The owner is another branch and cannot be asked.
            NotOwner: It changes hands at this moment.
            CymeError: Whatever the call raises.
        """
        deadline = self._deadline(timeout_s)
        record, owner = (
            (instance, instance.owner) if isinstance(instance, Instance) else (None, instance)
        )
        self._check_askable(owner, record)
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

    def _check_askable(self, branch: BranchId, instance: Instance | None = None) -> None:
        """Check that a branch is there, as far as is known, or is this one.

        Args:
            branch: The branch.
            instance: What it is to be asked about, if that is an instance of it.

        Raises:
            OwnerUnreachable: It is not; the message says what to do.
        """
        if branch == self._replica.branch_id:
            return
        info = self._members.info(branch)
        if info is None or info.state in ABSENT:
            why = "is not known here" if info is None else f"has {ABSENT[info.state]}"
            raise OwnerUnreachable(
                f"Branch {branch!r}, which is to do this, {why} and was not asked. "
                f"{_way_out(instance)}",
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

    def check_change(
        self, changes: Mapping[str, object], *, app: str, instance: str | None, caller: Caller
    ) -> None:
        """Check what is to be written later: whoever asks is told at once what cannot be.

        Args:
            changes: Fields of ``WorkerSpec`` and ``queues``, as for a write.
            app: The app that is to be changed, or that has the instance.
            instance: The instance that is to be changed, None for the app itself.
            caller: Who asks.

        Raises:
            InvalidRequest: A parameter cannot be accepted.
            Forbidden: The caller may not do this.
        """
        check_changes(changes)
        known: App | Instance | None = (
            self._replica.app(app) if instance is None else self._replica.instance(instance)
        )
        before = known.spec if known is not None else WorkerSpec()
        changed = what_changed(before, spec_with(before, changes))
        self._allow_change(caller, {name: changes[name] for name in changed})

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
        self._journal.record(kind, reason, app=app, instance=instance, by=caller.name, **data)


def names_told(names: Sequence[str]) -> str:
    """Return names as they read in a message, not too many of them."""
    told = ", ".join(names[:NAMES_TOLD_MAX])
    more = len(names) - NAMES_TOLD_MAX
    return f"{told} and {more} more" if more > 0 else told


def _way_out(instance: Instance | None) -> str:
    """Return what to do where a branch cannot be asked, about an instance of it or at all."""
    if instance is None or instance.deleted:
        return "Start it, and try again."
    if not instance.pinned:
        return "Start it, or try again when another branch has taken over what it ran."
    return (
        f"The instance {instance.name!r} is pinned to it, so no other branch takes it over. Start "
        "that branch or, if its machine is gone for good, delete the instance with force=true and "
        "create it anew."
    )
