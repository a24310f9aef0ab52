"""SQLite: a file of the branch.

It runs in WAL mode with ``synchronous=FULL``: a commit has reached the disk when it returns, and
a reader with a shell never stops the writer. The file is ours alone (0600), and SQLite gives its
``-wal`` and ``-shm`` the same permissions.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote

import peewee

from cyme.adapters.database.backups import advice, make_backup
from cyme.adapters.database.faults import cause_of, first_line
from cyme.adapters.database.statements import run
from cyme.errors import DatabaseUnusable, DirectoryLocked, SettingsError, StorageUnavailable

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0
WAL_BYTES_KEPT_MAX = 16 * 1024 * 1024

_PRAGMAS = (
    ("foreign_keys", "ON"),
    ("synchronous", "FULL"),
    ("fullfsync", "ON"),  # macOS flushes its disk's own cache only when told so
    ("journal_size_limit", WAL_BYTES_KEPT_MAX),
)
_DAMAGED = {11, 26}  # SQLITE_CORRUPT, SQLITE_NOTADB


class Sqlite:
    """A SQLite file; fulfils ``Backend``."""

    types: Mapping[str, str] = MappingProxyType(
        {"text": "TEXT", "blob": "BLOB", "double": "DOUBLE PRECISION", "table_options": ""}
    )
    can_vanish = False

    def __init__(self, path: Path, backup_dir: Path) -> None:
        self.name = str(path)
        self._path = path
        self._backup_dir = backup_dir
        self._lock: int | None = None
        self._identity: tuple[int, int] | None = None

    @classmethod
    def from_url(cls, parts: SplitResult, backup_dir: Path) -> Sqlite:
        """Build the backend of a ``sqlite:`` URL.

        Raises:
            SettingsError: It names no absolute path.
        """
        path = unquote(parts.path)
        if parts.netloc or parts.query or not path.strip("/"):
            raise SettingsError(
                "A SQLite database is named by sqlite:/// and an absolute path, as in "
                "sqlite:///var/lib/cyme/cyme.sqlite"
            )
        # Four slashes are the spelling of other tools.
        return cls(Path("/" + path.lstrip("/")), backup_dir)

    def connect(self) -> peewee.Database:
        """Open the file, which is made when it is not there yet."""
        if self._lock is None:
            self._lock = self._take_lock()
            self._make_private_file()
        db = peewee.SqliteDatabase(
            str(self._path),
            pragmas=_PRAGMAS,
            timeout=BUSY_TIMEOUT_S,
            # The write lock is taken at the beginning: it is waited for there, and not refused
            # in the middle.
            lock_type="IMMEDIATE",
            thread_safe=False,
        )
        db.connect()
        return db

    def check(self, db: peewee.Database) -> None:
        """Let SQLite look at every page."""
        said = [row[0] for row in run(db, "PRAGMA quick_check(1)").fetchall()]
        if said != ["ok"]:
            raise DatabaseUnusable(self._damaged(str(said[0]).replace("\n", " ")))

    def back_up(self, db: peewee.Database, schema: int) -> None:
        """Copy the database into the backup directory."""
        try:
            make_backup(
                self._backup_dir,
                schema,
                lambda copy: run(db, "VACUUM INTO ?", (str(copy),)),
            )
        except (OSError, peewee.PeeweeException) as exc:
            raise DatabaseUnusable(
                f"The database {self.name} must be migrated, and no backup of it can be made in "
                f"{self._backup_dir} ({first_line(exc)}); nothing was changed. Make room or mend "
                "the permissions there, then start again."
            ) from exc

    def settle(self, db: peewee.Database) -> None:
        """Switch to WAL, which the file remembers."""
        (mode,) = run(db, "PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            logger.warning(
                "the database %s cannot use WAL on its file system; writes are slower", self.name
            )

    def verify(self) -> None:
        """Look whether the path still leads to the file that was opened.

        SQLite would go on writing to a file that nobody can find any more, or make a new one.
        """
        try:
            status = self._path.stat()
        except OSError as exc:
            raise StorageUnavailable(
                f"The database {self.name} is gone ({exc.strerror}). "
                "Put it back, then restart the branch."
            ) from exc
        if (status.st_dev, status.st_ino) != self._identity:
            raise StorageUnavailable(
                f"The database {self.name} was replaced by another file. "
                "Restart the branch to use that one."
            )

    def advice(self, error: BaseException) -> str:
        """Tell a damaged file from one that cannot be opened."""
        code = getattr(cause_of(error), "sqlite_errorcode", 0)
        if code & 0xFF in _DAMAGED:
            return self._damaged(first_line(error))
        return (
            f"The database {self.name} cannot be opened: {first_line(error)}. "
            "Look at its permissions and those "
            "of its directory, and at the space on its disk."
        )

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> int:
        """Lock a file beside the database.

        It cannot be the database itself: closing any descriptor of that would drop the locks that
        SQLite holds on it.
        """
        lock_path = self._path.with_name(self._path.name + ".lock")
        try:
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise DatabaseUnusable(self._unwritable(exc)) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(descriptor)
            raise DirectoryLocked(
                f"Another branch uses the database {self.name}. "
                "Stop it first, or name another with --db."
            ) from exc
        except OSError as exc:
            os.close(descriptor)
            raise DatabaseUnusable(self._unwritable(exc)) from exc
        return descriptor

    def _make_private_file(self) -> None:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                status = os.fstat(descriptor)
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise DatabaseUnusable(self._unwritable(exc)) from exc
        self._identity = (status.st_dev, status.st_ino)

    def _unwritable(self, error: OSError) -> str:
        return (
            f"The database {self.name} cannot be written: {error.strerror}. "
            "Make its directory writable for "
            "the user that runs the branch, or name another database with --db."
        )

    def _damaged(self, said: str) -> str:
        return (
            f"The database {self.name} is damaged ({said}). "
            "Move it away and put a backup in its place, or "
            f"start without it. {advice(self._backup_dir)}"
        )
