"""A store that lasts as long as the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cyme.core.cluster.items import key_of
from cyme.core.model import Record
from cyme.errors import CymeError, DeadlineExceeded, StorageUnavailable


class MemoryStore:
    """A store that lasts as long as the object.

    Attributes:
        failure: Raised by the next writes, until it is set to None again.
        before_write: Called with the records before each write: may switch greenlets, or raise.
        writes: Every successful write, in order.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = {key_of(record): record for record in records}
        self.failure: CymeError | None = None
        self.before_write: Callable[[Sequence[Record]], None] | None = None
        self.writes: list[tuple[Record, ...]] = []

    def load(self) -> Sequence[Record]:
        """Return all records, tombstones included."""
        return list(self._records.values())

    def write(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Store the records, all or none."""
        if timeout_s <= 0:
            raise DeadlineExceeded("The store had no time.")
        if self.before_write is not None:
            self.before_write(records)
        if self.failure is not None:
            raise self.failure
        self._records.update({key_of(record): record for record in records})
        self.writes.append(tuple(records))

    def fault(self) -> str | None:
        """Return why nothing can be written, as a database tells it that noticed."""
        return self.failure.detail if isinstance(self.failure, StorageUnavailable) else None

    def forget(self, records: Sequence[Record]) -> None:
        """Remove records."""
        for record in records:
            self._records.pop(key_of(record), None)
