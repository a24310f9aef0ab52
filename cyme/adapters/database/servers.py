"""PostgreSQL and MySQL or MariaDB: a database on a server, held by one connection.

The connection carries a lock of the server's, so a second branch is kept out, and let in when the
server has noticed that the first is gone.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote

import peewee

from cyme.adapters.database.faults import first_line
from cyme.adapters.database.statements import run
from cyme.errors import DatabaseUnusable, DirectoryLocked, SettingsError

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
#: How long a server may take to notice that a killed branch has left.
LOCK_WAIT_S = 3.0

_LOCK_POLL_S = 0.1
_POSTGRES_LOCK = int.from_bytes(b"cyme")


class _Server:
    """What the two have in common; the rest of ``Backend`` is theirs."""

    types: Mapping[str, str]
    can_vanish = True

    def __init__(self, name: str, database: str, options: Mapping[str, Any]) -> None:
        self.name = name
        self._database = database
        self._options = options

    def check(self, db: peewee.Database) -> None:
        """Leave it to the server."""

    def back_up(self, db: peewee.Database, schema: int) -> None:
        """Leave it to those who run the server."""
        del db
        logger.warning(
            "migrating the database %s from schema %d; Cyme makes no backup of a server's database",
            self.name,
            schema,
        )

    def settle(self, db: peewee.Database) -> None:
        """Have nothing to set."""

    def verify(self) -> None:
        """Leave it to the connection."""

    def advice(self, error: BaseException) -> str:
        """Tell what to look at."""
        return (
            f"The database {self.name} cannot be used: {first_line(error)}. "
            "Look whether the server runs, and "
            "whether user, password, database name and options in --db are right."
        )

    def close(self) -> None:
        """Have nothing to give back: the lock went with the connection."""

    def _locked(self) -> DirectoryLocked:
        return DirectoryLocked(
            f"Another branch uses the database {self.name}. "
            "Stop it first, or give this one a database of its "
            "own with --db."
        )


class Postgres(_Server):
    """PostgreSQL through psycopg 3; fulfils ``Backend``."""

    types: Mapping[str, str] = MappingProxyType(
        {"text": "TEXT", "blob": "BYTEA", "double": "DOUBLE PRECISION", "table_options": ""}
    )

    @classmethod
    def from_url(cls, parts: SplitResult, branch_id: str) -> Postgres:
        """Build the backend of a ``postgresql:`` URL; raises as ``backend_of``."""
        _need_driver("psycopg", "postgres")
        settings = {
            "synchronous_commit": "on",
            "statement_timeout": STATEMENT_TIMEOUT_S * 1000,
            # The server lets go of the lock of a branch whose machine has vanished.
            "tcp_keepalives_idle": 15,
            "tcp_keepalives_interval": 5,
            "tcp_keepalives_count": 3,
        }
        defaults = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": f"cyme {branch_id}",
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,
        }
        return cls(*_server_parts(parts, defaults, default_port=5432))

    def connect(self) -> peewee.Database:
        """Connect and take the advisory lock of the database."""
        db = peewee.PostgresqlDatabase(
            self._database, prefer_psycopg3=True, thread_safe=False, **self._options
        )
        db.connect()
        deadline = time.monotonic() + LOCK_WAIT_S
        query = "SELECT pg_try_advisory_lock(%s)"
        while not run(db, query, (_POSTGRES_LOCK,)).fetchone()[0]:
            if time.monotonic() > deadline:
                db.close()
                raise self._locked()
            time.sleep(_LOCK_POLL_S)
        return db


class Mysql(_Server):
    """MySQL or MariaDB through PyMySQL; fulfils ``Backend``.

    Its text compares byte by byte, as that of the others does: names differ by case.
    """

    types: Mapping[str, str] = MappingProxyType(
        {
            "text": "MEDIUMTEXT",
            "blob": "MEDIUMBLOB",
            "double": "DOUBLE PRECISION",
            "table_options": "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
        }
    )

    @classmethod
    def from_url(cls, parts: SplitResult) -> Mysql:
        """Build the backend of a ``mysql:`` URL; raises as ``backend_of``."""
        _need_driver("pymysql", "mysql")
        defaults = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": STATEMENT_TIMEOUT_S,
            "write_timeout": STATEMENT_TIMEOUT_S,
        }
        return cls(*_server_parts(parts, defaults, default_port=3306))

    def connect(self) -> peewee.Database:
        """Connect and take the lock that carries the database's name."""
        db = peewee.MySQLDatabase(self._database, thread_safe=False, **self._options)
        db.connect()
        # Names of locks are the whole server's and have at most 64 characters.
        lock = "cyme." + hashlib.sha256(self._database.encode()).hexdigest()[:32]
        if run(db, "SELECT GET_LOCK(%s, %s)", (lock, LOCK_WAIT_S)).fetchone()[0] != 1:
            db.close()
            raise self._locked()
        return db


def _need_driver(module: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as exc:
        raise DatabaseUnusable(
            f"The database needs the Python package {module}, which is not installed here: "
            f"pip install 'cyme[{extra}]'"
        ) from exc


def _server_parts(
    parts: SplitResult, defaults: Mapping[str, Any], *, default_port: int
) -> tuple[str, str, Mapping[str, Any]]:
    """Return the name for people, the database's name and the driver's options.

    Raises:
        SettingsError: The URL names no host or no database.
    """
    database = unquote(parts.path.strip("/"))
    host, port = parts.hostname, parts.port or default_port
    if not database or not host:
        raise SettingsError(
            f"A database on a server is named by {parts.scheme}://USER:PASSWORD@HOST:PORT/NAME; "
            f"this URL has no {'host' if not host else 'database name'}."
        )
    options: dict[str, Any] = {**defaults, "host": host, "port": port}
    if parts.username:
        options["user"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    options |= parse_qsl(parts.query)
    return f"{parts.scheme}://{host}:{port}/{database}", database, options
