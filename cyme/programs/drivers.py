"""Keeps drivers of databases that a branch does not use out of its memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: What peewee loads wherever it is installed; psycopg alone takes nine megabytes.
_DRIVERS = {
    "psycopg": ("postgres",),
    "psycopg2": ("postgres",),
    "pymysql": ("mysql", "mariadb"),
    "MySQLdb": ("mysql", "mariadb"),
}


@contextmanager
def drivers_left_out(database: str | None) -> Iterator[None]:
    """Have imports find no driver but that of a database.

    A module that is set to None cannot be imported (``importlib``, "import_module"); it can be
    again afterwards.

    Args:
        database: The URL of the database, None for SQLite.
    """
    kind = (database or "sqlite").partition(":")[0]
    left_out = [
        driver
        for driver, kinds in _DRIVERS.items()
        if driver not in sys.modules and not kind.startswith(kinds)
    ]
    sys.modules.update(dict.fromkeys(left_out))  # type: ignore[arg-type]  # None is allowed there
    try:
        yield
    finally:
        for driver in left_out:
            del sys.modules[driver]
