"""What differs between SQLite and the servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import peewee


class Backend(Protocol):
    """A kind of database. All methods are called in the native thread only.

    Attributes:
        name: The database as people know it, without its password.
        types: What the words in braces of a migration stand for.
        can_vanish: Whether it may go away unseen while nobody uses it.
    """

    name: str
    types: Mapping[str, str]
    can_vanish: bool

    def connect(self) -> peewee.Database:
        """Connect, and keep every other branch out until ``close``.

        Raises:
            DirectoryLocked: Another branch uses the database.
            StartupError: What the caller has to mend.
            StorageUnavailable: The database that was opened is no longer there.
        """

    def check(self, db: peewee.Database) -> None:
        """Look whether the content is sound.

        Raises:
            DatabaseUnusable: It is damaged.
        """

    def back_up(self, db: peewee.Database, schema: int) -> None:
        """Copy the database before its schema changes, where that is Cyme's to do.

        Raises:
            DatabaseUnusable: The copy cannot be made.
        """

    def settle(self, db: peewee.Database) -> None:
        """Make lasting settings, once the database is known to be ours."""

    def verify(self) -> None:
        """Look whether the database is still the one that was opened; cheap.

        Raises:
            StorageUnavailable: It is not.
        """

    def advice(self, error: BaseException) -> str:
        """Return what to do about an error that opening met, as one or two sentences."""

    def close(self) -> None:
        """Let other branches in; the connection is closed already."""
