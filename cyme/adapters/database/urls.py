"""The choice of a database by its URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cyme.adapters.database.backend import Backend
from cyme.adapters.database.servers import Mysql, Postgres
from cyme.adapters.database.sqlite import Sqlite
from cyme.core.model import masked
from cyme.errors import SettingsError


def backend_of(url: str, *, branch_id: str, backup_dir: Path) -> Backend:
    """Return the backend that a URL names.

    Args:
        url: ``sqlite:///ABSOLUTE/PATH``, ``postgresql://USER:PASSWORD@HOST:PORT/NAME`` or
            ``mysql://...`` alike. A query string of a server's URL goes to its driver.
        branch_id: Shown to the server as the name of the connection.
        backup_dir: Where backups of a SQLite database are kept.

    Raises:
        SettingsError: The URL is none of these.
        DatabaseUnusable: The driver is not installed.
    """
    try:
        parts = urlsplit(url)
        match parts.scheme:
            case "sqlite":
                return Sqlite.from_url(parts, backup_dir)
            case "postgresql" | "postgres":
                return Postgres.from_url(parts, branch_id)
            case "mysql" | "mariadb":
                return Mysql.from_url(parts)
    except ValueError as exc:
        raise SettingsError(f"The value of --db is not a URL: {exc}.") from exc
    raise SettingsError(
        f"The database URL {masked(url)!r} names no database that Cyme knows; use "
        "sqlite:///ABSOLUTE/PATH, postgresql://USER:PASSWORD@HOST/NAME or "
        "mysql://USER:PASSWORD@HOST/NAME."
    )
