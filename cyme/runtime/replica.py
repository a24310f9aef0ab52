"""The replica: all records in memory, so that reading never waits for anything.

Laws:

* a record is applied here only after the store has made it durable;
* what is replaced is decided by ``cyme.core.model.newer`` alone;
* nothing here switches greenlets but ``commit``, and that only while the store writes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from cyme.core.model import (
    EPOCH_STAMP,
    App,
    BranchId,
    Instance,
    Queue,
    Record,
    Stamp,
    newer,
)
from cyme.core.ports import Clock, Store
from cyme.errors import StorageUnavailable

logger = logging.getLogger(__name__)

#: How long a tombstone is kept, so that a branch that was away cannot bring back what it marks.
TOMBSTONE_S = 7 * 24 * 3600.0

#: So long after the database refused a write the branch calls itself not ready.
STORAGE_FAULT_SHOWN_S = 30.0

Listener = Callable[[Sequence[Record]], None]
R = TypeVar("R", App, Queue, Instance)


class Replica:
    """The records of the cluster as this branch knows them.

    Args:
        store: Where they are durable.
        clock: Time.
        branch_id: This branch.
    """

    def __init__(self, store: Store, clock: Clock, branch_id: str) -> None:
        self._store = store
        self._clock = clock
        self.branch_id = BranchId(branch_id)
        self._apps: dict[str, App] = {}
        self._instances: dict[str, Instance] = {}
        self._queues: dict[str, dict[str, Queue]] = {}
        self._names_by_app: dict[str, set[str]] = {}
        self._owned: dict[str, set[str]] = {}
        self._last_stamp = EPOCH_STAMP
        self._listeners: list[Listener] = []
        self._fault: tuple[float, str] | None = None
        self.loaded = False

    def load(self) -> None:
        """Take over what the store has.

        Raises:
            DatabaseUnusable: The database cannot be read.
        """
        self.apply(self._store.load())
        self.loaded = True
        logger.info(
            "Read %d apps, %d instances and %d queues, tombstones included",
            len(self._apps),
            len(self._instances),
            sum(map(len, self._queues.values())),
        )

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called with the records of every commit, after it was applied."""
        self._listeners.append(listener)

    # --- reading -------------------------------------------------------------------------------

    def apps(self) -> list[App]:
        """Return all apps, sorted by name."""
        return _living(self._apps)

    def app(self, name: str) -> App | None:
        """Return the app of that name, None if there is none."""
        return _alive(self._apps.get(name))

    def instances(self) -> list[Instance]:
        """Return all instances of the cluster, sorted by name."""
        return _living(self._instances)

    def instance(self, name: str) -> Instance | None:
        """Return the instance of that name, None if there is none."""
        return _alive(self._instances.get(name))

    def instances_of(self, app: str) -> list[Instance]:
        """Return the instances of an app, sorted by name."""
        return [self._instances[name] for name in sorted(self._names_by_app.get(app, ()))]

    def instances_owned(self, branch: str | None = None) -> list[Instance]:
        """Return the instances that a branch (None: this one) runs, sorted by name."""
        names = self._owned.get(self.branch_id if branch is None else branch, ())
        return [self._instances[name] for name in sorted(names)]

    def count_owned(self, branch: str) -> int:
        """Return how many instances a branch runs."""
        return len(self._owned.get(branch, ()))

    def queues_of(self, app: str) -> list[Queue]:
        """Return the queue declarations of an app, sorted by name."""
        return _living(self._queues.get(app, {}))

    def queue(self, app: str, name: str) -> Queue | None:
        """Return the declaration of a queue of an app, None if there is none."""
        return _alive(self._queues.get(app, {}).get(name))

    def queues_consumed(self, instance: Instance) -> list[Queue]:
        """Return the declarations of the queues that an instance is to consume from."""
        found = (self.queue(instance.app, name) for name in instance.queues)
        return [queue for queue in found if queue is not None]

    def app_or_tombstone(self, name: str) -> App | None:
        """Return the app's record, be it a tombstone."""
        return self._apps.get(name)

    def instance_or_tombstone(self, name: str) -> Instance | None:
        """Return the instance's record, be it a tombstone."""
        return self._instances.get(name)

    def queue_or_tombstone(self, app: str, name: str) -> Queue | None:
        """Return the queue's record, be it a tombstone."""
        return self._queues.get(app, {}).get(name)

    def storage_fault(self) -> str | None:
        """Return why the database refused the latest write, None if it did not or long ago."""
        if self._fault is None or self._clock.monotonic() > self._fault[0] + STORAGE_FAULT_SHOWN_S:
            return None
        return self._fault[1]

    # --- writing -------------------------------------------------------------------------------

    def next_stamp(self) -> Stamp:
        """Return a stamp of this branch that is later than every one seen here."""
        self._last_stamp = self._last_stamp.next(int(self._clock.wall() * 1000), self.branch_id)
        return self._last_stamp

    def commit(self, records: Sequence[Record], timeout_s: float) -> None:
        """Make records durable, then apply them, then tell the listeners.

        Args:
            records: What to write, all or none.
            timeout_s: How long it may take, in seconds.

        Raises:
            StorageFull: There is no room; nothing changed.
            StorageUnavailable: The database cannot be written; nothing changed.
            DeadlineExceeded: It took too long; nothing changed here, and whether it is durable
                is not known.
        """
        try:
            self._store.write(records, timeout_s=timeout_s)
        except StorageUnavailable as exc:
            self._fault = (self._clock.monotonic(), exc.detail)
            raise
        self._fault = None
        self.apply(records)
        for listener in self._listeners:
            listener(records)

    def apply(self, records: Iterable[Record]) -> None:
        """Take over records that are durable, where they are newer than what is known."""
        for record in records:
            match record:
                case App() if newer(self._apps.get(record.name), record):
                    self._apps[record.name] = record
                    self._last_stamp = max(self._last_stamp, record.stamp)
                case Queue() if newer(self.queue_or_tombstone(record.app, record.name), record):
                    self._queues.setdefault(record.app, {})[record.name] = record
                    self._last_stamp = max(self._last_stamp, record.stamp)
                case Instance() if newer(self._instances.get(record.name), record):
                    self._apply_instance(record)

    def _apply_instance(self, instance: Instance) -> None:
        before = self._instances.get(instance.name)
        if before is not None:
            _drop(self._names_by_app, before.app, before.name)
            _drop(self._owned, before.owner, before.name)
        self._instances[instance.name] = instance
        if not instance.deleted:
            self._names_by_app.setdefault(instance.app, set()).add(instance.name)
            self._owned.setdefault(instance.owner, set()).add(instance.name)

    def prune(self, now: float) -> int:
        """Forget tombstones that are older than seven days.

        Args:
            now: Seconds since 1970, UTC.

        Returns:
            How many were forgotten.
        """
        old = [record for record in self._tombstones() if record.updated_at < now - TOMBSTONE_S]
        if not old:
            return 0
        self._store.forget(old)
        for record in old:
            match record:
                case App():
                    del self._apps[record.name]
                case Queue():
                    _drop_queue(self._queues, record)
                case Instance():
                    del self._instances[record.name]
        return len(old)

    def _tombstones(self) -> list[Record]:
        records: list[Record] = [*self._apps.values(), *self._instances.values()]
        for queues in self._queues.values():
            records += queues.values()
        return [record for record in records if record.deleted]


def _alive(record: R | None) -> R | None:
    return None if record is None or record.deleted else record


def _living(records: dict[str, R]) -> list[R]:
    return [records[name] for name in sorted(records) if not records[name].deleted]


def _drop(names: dict[str, set[str]], key: str, name: str) -> None:
    """Remove a name from an index, and its set where that becomes empty."""
    if key in names:
        names[key].discard(name)
        if not names[key]:
            del names[key]


def _drop_queue(queues: dict[str, dict[str, Queue]], queue: Queue) -> None:
    del queues[queue.app][queue.name]
    if not queues[queue.app]:
        del queues[queue.app]
