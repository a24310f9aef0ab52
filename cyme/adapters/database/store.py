"""The database as the rest of Cyme sees it: ``core.ports.Store``, and kept results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from peewee import ModelDelete

from cyme.adapters.database.migrations import MIGRATIONS, Migration
from cyme.adapters.database.models import App as AppTable
from cyme.adapters.database.models import Broker as BrokerTable
from cyme.adapters.database.models import Instance as InstanceTable
from cyme.adapters.database.models import Queue as QueueTable
from cyme.adapters.database.models import Table
from cyme.adapters.database.records import (
    Row,
    app_of,
    broker_row,
    instance_of,
    queue_of,
    row_of,
)
from cyme.adapters.database.results import Results, check_payload, is_task_id
from cyme.adapters.database.session import Session, Work
from cyme.adapters.database.urls import backend_of
from cyme.adapters.database.writer import Writer
from cyme.core.model import App, Broker, Instance, Queue, Record
from cyme.errors import DatabaseUnusable, DeadlineExceeded, StorageUnavailable

LOAD_TIMEOUT_S = 60.0
RESULT_TIMEOUT_S = 10.0
FORGET_TIMEOUT_S = 30.0

_TABLES: dict[type[Record], type[Table]] = {
    App: AppTable,
    Queue: QueueTable,
    Instance: InstanceTable,
}

_DELETE_UNUSED_BROKERS = """
DELETE FROM cyme_broker WHERE digest NOT IN (
    SELECT broker_id FROM cyme_app WHERE broker_id IS NOT NULL
    UNION
    SELECT broker_id FROM cyme_instance WHERE broker_id IS NOT NULL
)
"""


class Database:
    """A branch's database; no method ever makes the hub wait.

    Args:
        url: As ``urls.backend_of`` takes it.
        branch_id: The branch whose database it is, for ever.
        backup_dir: Where backups of a SQLite database are kept.
        migrations: The way to the schema that the program needs.
    """

    def __init__(
        self,
        url: str,
        *,
        branch_id: str,
        backup_dir: Path,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._url = url
        self._branch_id = branch_id
        self._backup_dir = backup_dir
        self._migrations = migrations
        self._results = Results()
        self._writer: Writer | None = None

    def open(self) -> None:
        """Connect, keep other branches out, and bring the schema up to date.

        Raises:
            SettingsError: The URL is not one.
            DatabaseUnusable: The database is unreachable, damaged, or another branch's, or its
                driver is not installed.
            DirectoryLocked: Another branch uses it.
            SchemaTooNew: A newer Cyme wrote it; nothing was changed.
        """
        backend = backend_of(self._url, branch_id=self._branch_id, backup_dir=self._backup_dir)
        session = Session(backend, branch_id=self._branch_id, migrations=self._migrations)
        writer = Writer(session, probe_when_idle=backend.can_vanish)
        writer.start()
        self._writer = writer

    def close(self, timeout_s: float) -> None:
        """Finish what was asked for and let go of the database.

        Args:
            timeout_s: When to give up on a disk or a server that does not answer.
        """
        if self._writer is not None:
            self._writer.stop(timeout_s)
            self._writer = None

    def healthy(self) -> bool:
        """Tell whether the last use of the database succeeded; a failed one is tried again soon."""
        return self.fault() is None

    def fault(self) -> str | None:
        """Return why it did not, None if it did."""
        return "The database is not open." if self._writer is None else self._writer.fault

    @property
    def writes_and_groups(self) -> tuple[int, int]:
        """How many pieces of work were done since ``open``, and in how many groups."""
        return (self._writer.works, self._writer.groups) if self._writer else (0, 0)

    @property
    def waiting_and_busy_s(self) -> tuple[int, float]:
        """How many pieces of work wait, and how long those took that were done, in seconds."""
        return (self._writer.waiting, self._writer.busy_s) if self._writer else (0, 0.0)

    # --- records ---------------------------------------------------------------------------------

    def load(self) -> Sequence[Record]:
        """Return all records, tombstones included.

        Raises:
            DatabaseUnusable: The database cannot be read.
        """
        try:
            return cast(Sequence[Record], self._do(_load, LOAD_TIMEOUT_S))
        except (StorageUnavailable, DeadlineExceeded) as exc:
            raise DatabaseUnusable(f"The records cannot be read: {exc}") from exc

    def write(self, records: Sequence[Record], *, timeout_s: float) -> None:
        """Store the records, all or none; they are durable when this returns.

        Raises:
            InvalidRequest: A text cannot be stored; nothing was written.
            StorageFull: There is no room; nothing was written.
            StorageUnavailable: The database cannot be written; nothing was written.
            Overloaded: Too many writes wait; nothing was written.
            DeadlineExceeded: It took too long; whether it was written is not known.
        """
        if not records:
            return
        rows: dict[type[Table], list[Row]] = {table: [] for table in _TABLES.values()}
        for record in records:
            rows[_TABLES[type(record)]].append(row_of(record))
        self._do(partial(_write, brokers=_broker_rows(records), rows=rows), timeout_s)

    def forget(self, records: Sequence[Record]) -> None:
        """Remove tombstones that nobody needs any more; what lives again is left alone.

        Raises:
            StorageUnavailable: The database cannot be written; nothing was removed.
            DeadlineExceeded: It took too long; whether they were removed is not known.
        """
        if records:
            self._do(partial(_forget, records=tuple(records)), FORGET_TIMEOUT_S)

    # --- kept results ----------------------------------------------------------------------------

    def keep_result(self, task_id: str, payload: bytes, expires_at: float) -> None:
        """Keep a task's result; durable when this returns.

        Args:
            task_id: The task.
            payload: At most ``results.RESULT_BYTES_MAX`` bytes.
            expires_at: Until when it is needed, seconds since 1970.

        Raises:
            TooLarge: The payload is.
            StorageUnavailable: The database cannot be written; nothing was written.
            DeadlineExceeded: It took too long; whether it was written is not known.
        """
        assert is_task_id(task_id), "the ids of tasks are made here"
        check_payload(payload)
        work = partial(self._results.keep, task_id=task_id, payload=payload, expires_at=expires_at)
        self._do(work, RESULT_TIMEOUT_S)

    def fetch_result(self, task_id: str) -> bytes | None:
        """Return a task's result, or None when none is kept.

        Raises:
            StorageUnavailable: The database cannot be read.
            DeadlineExceeded: It took too long.
        """
        if not is_task_id(task_id):
            return None
        work = partial(self._results.fetch, task_id=task_id)
        return cast("bytes | None", self._do(work, RESULT_TIMEOUT_S))

    def prune_results(self, now: float) -> int:
        """Remove the results that have expired.

        Args:
            now: Seconds since 1970.

        Returns:
            How many they were.

        Raises:
            StorageUnavailable: The database cannot be written; nothing was removed.
            DeadlineExceeded: It took too long.
        """
        return cast(int, self._do(partial(self._results.prune, now=now), RESULT_TIMEOUT_S))

    def _do(self, work: Work, timeout_s: float) -> object:
        if self._writer is None:
            raise StorageUnavailable("The database is not open.")
        return self._writer.do(work, timeout_s)


def _broker_rows(records: Sequence[Record]) -> list[Row]:
    brokers: dict[str, Broker] = {
        record.spec.broker.url: record.spec.broker
        for record in records
        if not isinstance(record, Queue) and record.spec.broker
    }
    return [broker_row(broker) for broker in brokers.values()]


# --- work for the native thread ------------------------------------------------------------------


def _load(session: Session) -> Sequence[Record]:
    brokers = {row["digest"]: Broker(row["url"]) for row in session.rows(BrokerTable)}
    return [
        *(app_of(row, brokers) for row in session.rows(AppTable)),
        *(queue_of(row) for row in session.rows(QueueTable)),
        *(instance_of(row, brokers) for row in session.rows(InstanceTable)),
    ]


def _write(session: Session, brokers: list[Row], rows: dict[type[Table], list[Row]]) -> None:
    fresh = session.insert_missing(BrokerTable, brokers)
    for table, its_rows in rows.items():
        session.upsert(table, its_rows)
    if fresh:
        # Only a change to another broker leaves one behind that nothing refers to.
        session.execute(_DELETE_UNUSED_BROKERS)


def _forget(session: Session, records: Sequence[Record]) -> None:
    for record in records:
        _tombstone(record).execute(session.db)
    session.execute(_DELETE_UNUSED_BROKERS)


def _tombstone(record: Record) -> ModelDelete:
    """Return the query that deletes the record, if what is stored is a tombstone."""
    match record:
        case App():
            return AppTable.delete().where(AppTable.name == record.name, AppTable.deleted)
        case Instance():
            return InstanceTable.delete().where(
                InstanceTable.name == record.name, InstanceTable.deleted
            )
        case Queue():
            return QueueTable.delete().where(
                QueueTable.app == record.app, QueueTable.name == record.name, QueueTable.deleted
            )
