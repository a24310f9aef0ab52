"""The directory of a branch: what outlives it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field

from cyme.core.cluster.items import Key, joined, key_of
from cyme.core.model import EPOCH_STAMP, App, Instance, Queue, Record, Stamp


@dataclass(slots=True, kw_only=True)
class Disk:
    """What outlives a branch.

    Attributes:
        records: What is durable.
        boot: How often the branch was started.
        known: Endpoints that it knew last.
        full: Whether it refuses to be written to.
    """

    records: dict[Key, Record] = field(default_factory=dict)
    boot: int = 0
    known: tuple[str, ...] = ()
    full: bool = False

    def merge(self, record: Record) -> tuple[Record | None, Record]:
        """Make a record durable; return what was there of its key, and what is there now."""
        key = key_of(record)
        before = self.records.get(key)
        after = joined(before, record)
        assert isinstance(after, App | Queue | Instance)
        self.records[key] = after
        return before, after

    def instance(self, name: str) -> Instance | None:
        """Return the record of an instance, be it a tombstone."""
        found = self.records.get(("instance", name))
        assert found is None or isinstance(found, Instance)
        return found

    def instances(self) -> list[Instance]:
        """Return the instances that are not deleted."""
        return [
            record
            for record in self.records.values()
            if isinstance(record, Instance) and not record.deleted
        ]

    def count_owned(self, branch: str) -> int:
        """Return how many instances a branch owns."""
        return sum(instance.owner == branch for instance in self.instances())

    def latest_stamp(self) -> Stamp:
        """Return the greatest stamp of all records."""
        return max((record.stamp for record in self.records.values()), default=EPOCH_STAMP)

    def copied(self) -> Disk:
        """Return a copy, as of a directory that somebody cloned."""
        clone = copy(self)
        clone.records = dict(self.records)
        clone.full = False
        return clone
