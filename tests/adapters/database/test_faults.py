from __future__ import annotations

import errno
import os
import sqlite3

import peewee
import psycopg
import pymysql
import pytest

from cyme.adapters.database.faults import Fault, fault_of, first_line, storage_error
from cyme.errors import StorageFull, StorageUnavailable


def _sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (_sqlite(sqlite3.SQLITE_FULL), Fault.FULL),
        (_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), Fault.BUSY),
        (_sqlite(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY), Fault.REFUSED),
        (_sqlite(sqlite3.SQLITE_IOERR_WRITE), Fault.LOST),
        (sqlite3.ProgrammingError("closed"), Fault.LOST),
        (psycopg.errors.DiskFull("full"), Fault.FULL),
        (psycopg.errors.TooManyConnections("many"), Fault.BUSY),
        (psycopg.errors.QueryCanceled("slow"), Fault.BUSY),
        (psycopg.errors.DeadlockDetected("dead"), Fault.BUSY),
        (psycopg.errors.ForeignKeyViolation("fk"), Fault.REFUSED),
        (psycopg.errors.StringDataRightTruncation("long"), Fault.REFUSED),
        (psycopg.errors.AdminShutdown("bye"), Fault.LOST),
        (psycopg.errors.ReadOnlySqlTransaction("standby"), Fault.LOST),
        (psycopg.OperationalError("the connection is lost"), Fault.LOST),
        (pymysql.err.OperationalError(1114, "The table is full"), Fault.FULL),
        (pymysql.err.OperationalError(3, "Error writing file (Errcode: 28)"), Fault.FULL),
        (pymysql.err.OperationalError(1205, "Lock wait"), Fault.BUSY),
        (pymysql.err.DataError(1406, "Data too long"), Fault.REFUSED),
        (pymysql.err.OperationalError(2013, "Lost connection"), Fault.LOST),
        (pymysql.err.InterfaceError(0, ""), Fault.LOST),
        (peewee.InterfaceError("Cannot rollback"), Fault.LOST),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), Fault.FULL),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Fault.LOST),
        (OverflowError("int too large"), Fault.REFUSED),
        (KeyError("our own"), Fault.REFUSED),
    ],
)
def test_tells_what_an_error_means(error: Exception, fault: Fault) -> None:
    assert fault_of(error) is fault
    assert fault_of(peewee.OperationalError(error, *error.args)) is fault


def test_a_full_disk_has_an_error_of_its_own() -> None:
    full = storage_error(Fault.FULL, "x.sqlite", OSError("said"))
    assert isinstance(full, StorageFull)
    assert "x.sqlite" in full.detail
    assert type(storage_error(Fault.BUSY, "x", OSError("said"))) is StorageUnavailable


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (psycopg.OperationalError("first\nsecond"), "first"),
        (pymysql.err.OperationalError(1114, "full"), "full"),
        (KeyError(), "KeyError"),
    ],
)
def test_shows_one_line_of_what_the_driver_said(error: Exception, line: str) -> None:
    assert first_line(error) == line
