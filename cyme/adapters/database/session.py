"""One connection, and what is done over it. All of it runs in the database's native thread.

The laws:

* work is done in transactions; what fails leaves nothing behind;
* a connection that is in doubt is thrown away, and the next work opens a new one;
* a foreign error never leaves: it comes out as one of ``cyme.errors``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import peewee

import cyme
from cyme.adapters.database.backend import Backend
from cyme.adapters.database.faults import Fault, cause_of, fault_of, first_line, storage_error
from cyme.adapters.database.migrations import META_TABLE, AddColumn, Migration
from cyme.adapters.database.models import Meta, Table
from cyme.adapters.database.records import Row
from cyme.adapters.database.statements import Inserts, run
from cyme.errors import CymeError, DatabaseUnusable, SchemaTooNew, StorageUnavailable

logger = logging.getLogger(__name__)

#: What is done in a transaction; what it returns goes to whoever asked for it.
Work = Callable[["Session"], object]


class Failed:
    """What became of work that was not done."""

    __slots__ = ("error", "fault")

    def __init__(self, fault: Fault, error: CymeError) -> None:
        self.fault = fault
        self.error = error


class Session:
    """The one connection to the database.

    Args:
        backend: Knows the kind of database.
        branch_id: Whose database it must be.
        migrations: From the first schema to the one that this program needs.
    """

    def __init__(
        self, backend: Backend, *, branch_id: str, migrations: Sequence[Migration]
    ) -> None:
        self._backend = backend
        self._branch_id = branch_id
        self._migrations = migrations
        self._db: peewee.Database | None = None
        self._inserts = Inserts()

    def open(self) -> None:
        """Connect, make sure that the database is ours and sound, and migrate it.

        Raises:
            DirectoryLocked: Another branch uses it.
            SchemaTooNew: A newer Cyme wrote it; nothing was changed.
            DatabaseUnusable: It is damaged, unreachable or another branch's.
        """
        try:
            self._db = self._backend.connect()
            self._backend.check(self._db)
            self._migrate()
            self._backend.settle(self._db)
        except Exception as exc:
            self._drop_connection()
            self._backend.close()
            if isinstance(exc, CymeError):
                raise
            raise DatabaseUnusable(self._backend.advice(exc)) from exc

    def close(self) -> None:
        """Close the connection and let other branches in."""
        self._drop_connection()
        self._backend.close()

    @property
    def db(self) -> peewee.Database:
        """The connection, for work to run its queries on."""
        assert self._db is not None, "work runs only while the database is open"
        return self._db

    # --- what work is made of ------------------------------------------------------------------

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Run one statement and return the driver's cursor."""
        return run(self.db, sql, parameters)

    def upsert(self, table: type[Table], rows: Iterable[Row]) -> None:
        """Insert rows, or replace those of the same key."""
        self._inserts.run(self.db, table, rows, replace=True)

    def insert_missing(self, table: type[Table], rows: Iterable[Row]) -> int:
        """Insert the rows whose keys are not there yet and return how many they were."""
        return self._inserts.run(self.db, table, rows, replace=False)

    def rows(self, table: type[Table]) -> list[Row]:
        """Return all rows of a table."""
        return list(table.select().dicts().execute(self.db))

    # --- how work is done ----------------------------------------------------------------------

    def perform(self, works: Sequence[Work]) -> list[object | Failed]:
        """Do the works in one transaction, or each in its own where one of them spoils it.

        Returns:
            For each work what it returned, or ``Failed``.
        """
        outcome = self._attempt(works)
        if isinstance(outcome, Failed) and outcome.fault is Fault.LOST:
            # The connection may have died while nobody used it. All work can be repeated.
            outcome = self._attempt(works)
        if not isinstance(outcome, Failed):
            return outcome
        if len(works) == 1 or outcome.fault not in {Fault.REFUSED, Fault.FULL}:
            return [outcome] * len(works)
        return [result for work in works for result in self.perform([work])]

    def _attempt(self, works: Sequence[Work]) -> list[object | Failed] | Failed:
        try:
            self._backend.verify()
            if self._db is None:
                self._db = self._backend.connect()
            self.db.begin()
            results = [work(self) for work in works]
            self.db.commit()
        except CymeError as exc:
            self._drop_connection()
            return Failed(Fault.LOST, StorageUnavailable(exc.detail))
        except Exception as exc:
            # Three drivers have three trees of errors; whoever asked gets it translated.
            fault = fault_of(exc)
            self._roll_back(fault)
            if fault is Fault.REFUSED and len(works) == 1:
                logger.exception("the database %s refused a write", self._backend.name)
            error = storage_error(fault, self._backend.name, exc)
            # Without its frames, which would keep cursors and so a closed connection alive.
            error.__cause__ = cause_of(exc).with_traceback(None)
            return Failed(fault, error)
        return results

    def _roll_back(self, fault: Fault) -> None:
        """Leave no transaction open; a connection that cannot promise that is thrown away.

        SQLite ends the transaction by itself where the disk is full.
        """
        if self._db is None:
            return
        try:
            connection: Any = self._db.connection()  # type: ignore[no-untyped-call]  # its gap
            if getattr(connection, "in_transaction", True):
                self._db.rollback()
        except Exception as exc:  # noqa: BLE001 - as in _attempt; the connection is in doubt
            logger.debug("a rollback failed: %s", first_line(exc))
            fault = Fault.LOST
        if fault is Fault.LOST:
            self._drop_connection()

    def _drop_connection(self) -> None:
        """Forget the connection; SQLite's lock beside the file is kept."""
        db, self._db = self._db, None
        if db is not None:
            try:
                db.close()
            except Exception as exc:  # noqa: BLE001 - as in _attempt; it is lost anyway
                logger.debug("closing a lost connection failed: %s", first_line(exc))

    # --- opening -------------------------------------------------------------------------------

    def _migrate(self) -> None:
        known = self._read_meta()
        schema, newest = int(known.get("schema", 0)), self._migrations[-1].version
        if schema > newest:
            raise SchemaTooNew(
                f"The database {self._backend.name} has schema {schema}, written by Cyme "
                f"{known.get('written_by', 'of a later version')}; this is Cyme "
                f"{cyme.__version__}, which knows schemas up to {newest}. Nothing was changed. "
                "Install that version again, or put a backup of the older schema in its place."
            )
        owner = known.get("branch_id", self._branch_id)
        if owner != self._branch_id:
            raise DatabaseUnusable(
                f"The database {self._backend.name} belongs to branch {owner!r}, and this is "
                "branch "
                f"{self._branch_id!r}. Start with --id {owner}, or give this branch a database of "
                "its own with --db."
            )
        if 0 < schema < newest:
            self._backend.back_up(self.db, schema)
        for migration in self._migrations[schema:]:
            self._take_step(migration)

    def _read_meta(self) -> dict[str, str]:
        if Meta.table_name() not in self.db.get_tables():
            return {}
        return {row["name"]: row["value"] for row in self.rows(Meta)}

    def _has(self, column: AddColumn) -> bool:
        return column.name in {found.name for found in self.db.get_columns(column.table)}

    def _take_step(self, migration: Migration) -> None:
        self.db.begin()
        for statement in (META_TABLE, *migration.statements):
            if isinstance(statement, str):
                self.execute(statement.format(**self._backend.types))
            elif not self._has(statement):
                self.execute(statement.sql.format(**self._backend.types))
        marks = {
            "schema": str(migration.version),
            "branch_id": self._branch_id,
            "written_by": cyme.__version__,
        }
        self.upsert(Meta, [{"name": name, "value": value} for name, value in marks.items()])
        self.db.commit()
        logger.info("the database %s is at schema %d now", self._backend.name, migration.version)
