"""What a driver's error means: three drivers, three trees of errors, four meanings.

Sources: the result codes of SQLite, appendix A of PostgreSQL (error codes), the server and client
error references of MySQL and MariaDB.
"""

from __future__ import annotations

from enum import StrEnum

from cyme.errors import StorageFull, StorageUnavailable


class Fault(StrEnum):
    """The meanings."""

    FULL = "there is no room left"
    BUSY = "another program holds it"
    REFUSED = "it refuses the content"
    LOST = "it cannot be reached or used"


_SQLITE = {
    5: Fault.BUSY,  # SQLITE_BUSY
    6: Fault.BUSY,  # SQLITE_LOCKED
    9: Fault.BUSY,  # SQLITE_INTERRUPT
    13: Fault.FULL,  # SQLITE_FULL
    18: Fault.REFUSED,  # SQLITE_TOOBIG
    19: Fault.REFUSED,  # SQLITE_CONSTRAINT
    20: Fault.REFUSED,  # SQLITE_MISMATCH
}

#: By SQLSTATE where it is exact, else by its class, the first two characters.
_POSTGRES = {
    "53100": Fault.FULL,  # disk_full
    "55P03": Fault.BUSY,  # lock_not_available
    "57014": Fault.BUSY,  # query_canceled: the statement's timeout
    "22": Fault.REFUSED,  # data exception
    "23": Fault.REFUSED,  # integrity constraint violation
    "40": Fault.BUSY,  # transaction rollback: deadlock, serialization
    "53": Fault.BUSY,  # insufficient resources
    "54": Fault.REFUSED,  # program limit exceeded
}

_MYSQL = {
    1021: Fault.FULL,  # ER_DISK_FULL
    1114: Fault.FULL,  # ER_RECORD_FILE_FULL
    1040: Fault.BUSY,  # ER_CON_COUNT_ERROR
    1205: Fault.BUSY,  # ER_LOCK_WAIT_TIMEOUT
    1213: Fault.BUSY,  # ER_LOCK_DEADLOCK
    1969: Fault.BUSY,  # ER_STATEMENT_TIMEOUT (MariaDB)
    3024: Fault.BUSY,  # ER_QUERY_TIMEOUT (MySQL)
    1048: Fault.REFUSED,  # ER_BAD_NULL_ERROR
    1062: Fault.REFUSED,  # ER_DUP_ENTRY
    1153: Fault.REFUSED,  # ER_NET_PACKET_TOO_LARGE
    1264: Fault.REFUSED,  # ER_WARN_DATA_OUT_OF_RANGE
    1366: Fault.REFUSED,  # ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
    1406: Fault.REFUSED,  # ER_DATA_TOO_LONG
    1452: Fault.REFUSED,  # ER_NO_REFERENCED_ROW_2
}

_DRIVERS = ("sqlite3", "psycopg", "pymysql", "peewee")
_NO_SPACE = ("No space left on device", "Errcode: 28", "error 28")


def cause_of(error: BaseException) -> BaseException:
    """Return the driver's own error, which peewee's carries."""
    original = getattr(error, "orig", None)
    return original if isinstance(original, BaseException) else error


def fault_of(error: BaseException) -> Fault:
    """Return what an error means; what is not known counts as a lost connection.

    Errors that no driver raised are REFUSED: the content led our own code astray, and asking
    again cannot help.
    """
    cause = cause_of(error)
    if any(words in str(cause) for words in _NO_SPACE):
        return Fault.FULL
    match _driver_of(cause):
        case "sqlite3":
            code = getattr(cause, "sqlite_errorcode", None)
            return Fault.LOST if code is None else _SQLITE.get(code & 0xFF, Fault.LOST)
        case "psycopg":
            state = getattr(cause, "sqlstate", None) or ""
            return _POSTGRES.get(state) or _POSTGRES.get(state[:2], Fault.LOST)
        case "pymysql":
            number = cause.args[0] if cause.args else None
            return _MYSQL.get(number, Fault.LOST) if isinstance(number, int) else Fault.LOST
        case "peewee":
            return Fault.LOST
    return Fault.LOST if isinstance(cause, OSError) else Fault.REFUSED


def storage_error(fault: Fault, database: str, error: BaseException) -> StorageUnavailable:
    """Return the error that a caller gets.

    Args:
        fault: What the driver's error means.
        database: The database's name for people, without a password.
        error: The driver's error.
    """
    said = first_line(error)
    match fault:
        case Fault.FULL:
            return StorageFull(
                f"There is no room left for the database {database} ({said}); nothing was written. "
                "Free some space; nothing needs to be restarted."
            )
        case _:
            return StorageUnavailable(
                f"The database {database} could not be written: {fault} ({said}). "
                "Nothing was written."
            )


def first_line(error: BaseException) -> str:
    """Return the first line of what the driver said."""
    cause = cause_of(error)
    said = str(cause.args[-1]) if cause.args else ""
    return said.strip().partition("\n")[0] or type(cause).__name__


def _driver_of(error: BaseException) -> str | None:
    """Return the package whose tree of errors this one hangs in."""
    packages = {cls.__module__.partition(".")[0] for cls in type(error).__mro__}
    return next((name for name in _DRIVERS if name in packages), None)
