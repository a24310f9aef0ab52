"""The catalogue: all records in memory, and the indexes that make reading them cheap.

Nothing here waits or switches greenlets. What is read is never older than what was put last.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from cyme.core.model import App, BranchId, Instance, Queue, Record

R = TypeVar("R", App, Queue, Instance)


class Catalogue:
    """The records of the cluster as a branch knows them.

    Args:
        branch_id: That branch.
    """

    def __init__(self, branch_id: str) -> None:
        self.branch_id = BranchId(branch_id)
        self._apps: dict[str, App] = {}
        self._instances: dict[str, Instance] = {}
        self._queues: dict[str, dict[str, Queue]] = {}
        self._names_by_app: dict[str, set[str]] = {}
        self._owned: dict[str, set[str]] = {}
        self._counts: Counter[tuple[type[Record], bool]] = Counter()

    # --- apps -----------------------------------------------------------------------------------

    def apps(self) -> list[App]:
        """Return all apps, sorted by name."""
        return _living(self._apps)

    def app(self, name: str) -> App | None:
        """Return the app of that name, None if there is none."""
        return _alive(self._apps.get(name))

    def app_or_tombstone(self, name: str) -> App | None:
        """Return the app's record, be it a tombstone."""
        return self._apps.get(name)

    # --- instances ------------------------------------------------------------------------------

    def instances(self) -> list[Instance]:
        """Return all instances of the cluster, sorted by name."""
        return _living(self._instances)

    def instance(self, name: str) -> Instance | None:
        """Return the instance of that name, None if there is none."""
        return _alive(self._instances.get(name))

    def instance_or_tombstone(self, name: str) -> Instance | None:
        """Return the instance's record, be it a tombstone."""
        return self._instances.get(name)

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

    # --- queues ---------------------------------------------------------------------------------

    def queues_of(self, app: str) -> list[Queue]:
        """Return the queue declarations of an app, sorted by name."""
        return _living(self._queues.get(app, {}))

    def queue(self, app: str, name: str) -> Queue | None:
        """Return the declaration of a queue of an app, None if there is none."""
        return _alive(self.queue_or_tombstone(app, name))

    def queue_or_tombstone(self, app: str, name: str) -> Queue | None:
        """Return the queue's record, be it a tombstone."""
        return self._queues.get(app, {}).get(name)

    def queues_consumed(self, instance: Instance) -> list[Queue]:
        """Return the declarations of the queues that an instance is to consume from."""
        found = (self.queue(instance.app, name) for name in instance.queues)
        return [queue for queue in found if queue is not None]

    # --- records of any kind --------------------------------------------------------------------

    def records(self) -> list[Record]:
        """Return all records, tombstones included."""
        records: list[Record] = [*self._apps.values(), *self._instances.values()]
        for queues in self._queues.values():
            records += queues.values()
        return records

    def same(self, record: Record) -> Record | None:
        """Return what is known under the key of a record, be it a tombstone; None if nothing is."""
        match record:
            case App():
                return self._apps.get(record.name)
            case Queue():
                return self.queue_or_tombstone(record.app, record.name)
            case Instance():
                return self._instances.get(record.name)

    def is_current(self, record: Record) -> bool:
        """Tell whether a record is what is known under its key."""
        return self.same(record) == record

    def count(self, kind: type[Record], *, deleted: bool) -> int:
        """Return how many records of a kind there are: the tombstones, or the others."""
        return self._counts[kind, deleted]

    def _put(self, record: Record) -> None:
        """Have a record take the place of the one of its key."""
        before = self.same(record)
        if before is not None:
            self._counts[type(before), before.deleted] -= 1
        self._counts[type(record), record.deleted] += 1
        match record:
            case App():
                self._apps[record.name] = record
            case Queue():
                self._queues.setdefault(record.app, {})[record.name] = record
            case Instance():
                self._put_instance(record)

    def _put_instance(self, instance: Instance) -> None:
        before = self._instances.get(instance.name)
        if before is not None:
            _drop(self._names_by_app, before.app, before.name)
            _drop(self._owned, before.owner, before.name)
        self._instances[instance.name] = instance
        if not instance.deleted:
            self._names_by_app.setdefault(instance.app, set()).add(instance.name)
            self._owned.setdefault(instance.owner, set()).add(instance.name)

    def _remove(self, tombstones: Sequence[Record]) -> None:
        """Forget tombstones that are known."""
        for record in tombstones:
            self._counts[type(record), True] -= 1
            match record:
                case App():
                    del self._apps[record.name]
                case Queue():
                    del self._queues[record.app][record.name]
                    if not self._queues[record.app]:
                        del self._queues[record.app]
                case Instance():
                    del self._instances[record.name]


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
