"""The replica: the records of the cluster, durable and in memory.

Laws:

* a record is applied here only after the store has made it durable;
* what is applied is what ``cyme.core.model.merged`` makes of what is known and what came, so
  that neither a change made here nor one that arrives undoes the other;
* no two writes of one record are under way at the same time: what one of them is merged with is
  what the other left;
* nothing here switches greenlets but writing, and that only while it waits for its turn and
  while the store writes.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cyme.core.cluster.items import Key, key_of
from cyme.core.model import EPOCH_STAMP, App, Instance, Queue, Record, Stamp, merged
from cyme.core.ports import Clock, Store
from cyme.errors import DeadlineExceeded, InvalidRequest, TooLarge
from cyme.runtime.catalogue import Catalogue

logger = logging.getLogger(__name__)

#: How long a tombstone is kept, so that a branch that was away cannot bring back what it marks.
TOMBSTONE_S = 7 * 24 * 3600.0

#: Records of other branches that are taken in at a time.
ABSORBED_MAX = 1000

#: With so many records of a kind none of other branches is taken in beside them; with so many
#: tombstones of a kind no other tombstone. What is deleted takes no room of what is not.
HELD_MAX: Mapping[type[Record], int] = {App: 10_000, Instance: 100_000, Queue: 100_000}

#: Records are stamped with a clock that may be ahead of this one's by so much, in seconds.
CLOCK_AHEAD_S_MAX = 24 * 3600.0

#: What is dropped is told at most so often.
DROPPED_TOLD_PERIOD_S = 60.0

#: A round of forgetting waits so long for its turn.
_PRUNE_TIMEOUT_S = 30.0

#: Called with the records as they were applied, and whether they were written by this branch.
#: It must not switch greenlets.
Listener = Callable[[Sequence[Record], bool], None]

#: Called with tombstones that were forgotten; it must not switch greenlets either.
ForgottenListener = Callable[[Sequence[Record]], None]


class Replica(Catalogue):
    """The records of the cluster as this branch knows them, and the way to change them.

    Args:
        store: Where they are durable.
        clock: Time.
        branch_id: This branch.
    """

    def __init__(self, store: Store, clock: Clock, branch_id: str) -> None:
        super().__init__(branch_id)
        self._store = store
        self._clock = clock
        self._last_stamp = EPOCH_STAMP
        self._listeners: list[Listener] = []
        self._forgotten_listeners: list[ForgottenListener] = []
        self._written = threading.Condition()
        self._being_written: set[Key] = set()
        self._dropped = 0
        self._dropped_told_at: float | None = None
        self.loaded = False

    def load(self) -> None:
        """Take over what the store has.

        Raises:
            DatabaseUnusable: The database cannot be read.
        """
        self.apply(self._store.load())
        self.loaded = True
        logger.info(
            "Read %d apps, %d instances and %d queues",
            *(self.count(kind, deleted=False) for kind in (App, Instance, Queue)),
        )

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called after records were applied, in the order of applying."""
        self._listeners.append(listener)

    def listen_forgotten(self, listener: ForgottenListener) -> None:
        """Have ``listener`` called after tombstones were forgotten."""
        self._forgotten_listeners.append(listener)

    def storage_fault(self) -> str | None:
        """Return why the database takes no writes now, None if it does."""
        return self._store.fault()

    def next_stamp(self) -> Stamp:
        """Return a stamp of this branch that is later than every one seen here."""
        self._last_stamp = self._last_stamp.next(int(self._clock.wall() * 1000), self.branch_id)
        return self._last_stamp

    # --- writing --------------------------------------------------------------------------------

    def commit(self, records: Sequence[Record], timeout_s: float) -> list[Record]:
        """Make records of this branch durable, then apply them, then tell the listeners.

        Args:
            records: What to write, all or none.
            timeout_s: How long it may take, in seconds.

        Returns:
            The records as they were applied: merged with what others wrote meanwhile.

        Raises:
            InvalidRequest: A text cannot be stored; nothing changed.
            StorageFull: There is no room; nothing changed.
            StorageUnavailable: The database cannot be written; nothing changed.
            DeadlineExceeded: It took too long; nothing changed here, and whether it is durable
                is not known.
        """
        deadline = self._clock.monotonic() + timeout_s
        with self._writing(records, deadline):
            after = self._merged(records)
            self._write([each for each in after if not self.is_current(each)], deadline)
            self._take_over(after)
            self._tell(after, here=True)
        return after

    def absorb(self, records: Sequence[Record], timeout_s: float) -> list[Record]:
        """Take in records of other branches: make what is new durable, apply it, tell of it.

        Args:
            records: At most ``ABSORBED_MAX``, in any order, known ones among them.
            timeout_s: How long it may take, in seconds.

        Returns:
            What was not taken in: what there is no room for, what no database stores, what is
            stamped too far ahead, and tombstones of what was forgotten here.

        Raises:
            TooLarge: There are too many; nothing changed.
            StorageUnavailable: The database cannot be written; nothing changed.
            DeadlineExceeded: It took too long; nothing changed here, and whether it is durable
                is not known.
        """
        if len(records) > ABSORBED_MAX:
            raise TooLarge(
                f"{len(records)} records came at once; at most {ABSORBED_MAX} are taken in."
            )
        deadline = self._clock.monotonic() + timeout_s
        news = self._news(records)
        if not news:
            return []
        with self._writing(news, deadline):
            news = self._news(news)
            taken = self._acceptable(news)
            try:
                self._write(taken, deadline)
            except InvalidRequest:
                taken = [each for each in taken if self._is_written(each, deadline)]
            self._take_over(taken)
            self._tell(taken, here=False)
        keys = {key_of(each) for each in taken}
        return [each for each in news if key_of(each) not in keys]

    def apply(self, records: Iterable[Record]) -> None:
        """Take over records that are durable, merged with what is known."""
        self._take_over(self._merged(records))

    def prune(self, now: float) -> int:
        """Forget tombstones that are older than seven days, and tell the listeners.

        Args:
            now: Seconds since 1970, UTC.

        Returns:
            How many were forgotten.

        Raises:
            StorageUnavailable: The database cannot be written; nothing changed.
            DeadlineExceeded: It took too long; nothing changed here.
        """
        old = [record for record in self.records() if _is_outdated(record, now)]
        if not old:
            return 0
        with self._writing(old, self._clock.monotonic() + _PRUNE_TIMEOUT_S):
            # Meanwhile one may have been created again.
            old = [record for record in old if self.is_current(record)]
            self._store.forget(old)
            self._remove(old)
            for listener in self._forgotten_listeners:
                listener(old)
        return len(old)

    @contextmanager
    def _writing(self, records: Iterable[Record], deadline: float) -> Iterator[None]:
        """Hold the records of these keys, so that nobody else writes them.

        Raises:
            DeadlineExceeded: Somebody else wrote one of them until then.
        """
        keys = {key_of(record) for record in records}
        with self._written:
            while not keys.isdisjoint(self._being_written):
                left_s = deadline - self._clock.monotonic()
                if left_s <= 0 or not self._written.wait(left_s):
                    raise DeadlineExceeded(
                        "Another write of the same did not end in time; nothing changed. Try again."
                    )
            self._being_written |= keys
        try:
            yield
        finally:
            with self._written:
                self._being_written -= keys
                self._written.notify_all()

    def _take_over(self, records: Iterable[Record]) -> None:
        for record in records:
            self._put(record)
            self._last_stamp = max(self._last_stamp, record.stamp)

    def _merged(self, records: Iterable[Record]) -> list[Record]:
        """Return the records merged with what is known, and among each other."""
        after: dict[Key, Record] = {}
        for record in records:
            key = key_of(record)
            after[key] = merged(after.get(key) or self.same(record), record)
        return list(after.values())

    def _news(self, records: Sequence[Record]) -> list[Record]:
        """Return what is new among records, merged with what is known."""
        return [each for each in self._merged(records) if each is not self.same(each)]

    def _acceptable(self, records: Sequence[Record]) -> list[Record]:
        """Return the records of other branches that this one takes in.

        A tombstone of long ago was forgotten here, and what is known was created since. Taken in,
        it would be given back to whoever forgets it next, and so on for ever.
        """
        now = self._clock.wall()
        ahead_ms = (now + CLOCK_AHEAD_S_MAX) * 1000
        room = {
            (kind, deleted): most - self.count(kind, deleted=deleted)
            for kind, most in HELD_MAX.items()
            for deleted in (False, True)
        }
        accepted = []
        for record in records:
            known = self.same(record)
            since = known.created_at if known is not None else math.inf
            if _is_outdated(record, now) and record.updated_at < since:
                continue
            if record.stamp.time_ms > ahead_ms:
                # All later stamps here would follow it.
                self._tell_dropped("it is stamped more than a day ahead of the clock here")
                continue
            if known is None:
                kind = type(record), record.deleted
                if room[kind] <= 0:
                    self._tell_dropped("there are too many to hold")
                    continue
                room[kind] -= 1
            accepted.append(record)
        return accepted

    def _is_written(self, record: Record, deadline: float) -> bool:
        """Write one record of another branch; tell whether it can be stored."""
        try:
            self._write([record], deadline)
        except InvalidRequest as exc:
            self._tell_dropped(exc.detail)
            return False
        return True

    def _write(self, records: Sequence[Record], deadline: float) -> None:
        if not records:
            return
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("There was no time left to write; nothing changed. Try again.")
        self._store.write(records, timeout_s=left_s)

    def _tell(self, records: Sequence[Record], *, here: bool) -> None:
        if records:
            for listener in self._listeners:
                listener(records, here)

    def _tell_dropped(self, why: str) -> None:
        """Log that a record of another branch was dropped, at a bounded rate."""
        self._dropped += 1
        now = self._clock.monotonic()
        told_at = self._dropped_told_at
        if told_at is not None and now < told_at + DROPPED_TOLD_PERIOD_S:
            return
        logger.warning("dropped records of other branches: %d, the last as: %s", self._dropped, why)
        self._dropped, self._dropped_told_at = 0, now


def _is_outdated(record: Record, now: float) -> bool:
    """Tell whether a record is a tombstone that nobody needs any more."""
    return record.deleted and record.updated_at < now - TOMBSTONE_S
