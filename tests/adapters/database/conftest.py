"""Databases to test with: a SQLite file, and an empty database on each server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql
import pytest

from cyme.adapters.database import Database
from tests import servers

from .samples import BRANCH

CLOSE_TIMEOUT_S = 10.0

Open = Callable[..., Database]


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "cyme.sqlite"


@pytest.fixture
def sqlite_url(sqlite_path: Path) -> str:
    return f"sqlite://{sqlite_path}"


@pytest.fixture(scope="session")
def postgres_room() -> Iterator[str]:
    with servers.postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def mysql_room() -> Iterator[str]:
    with servers.mysql_database() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_room: str) -> str:
    """Return the URL of an empty database; making a new one for each test takes too long."""
    with psycopg.connect(postgres_room, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgres_room


@pytest.fixture
def mysql_url(mysql_room: str) -> str:
    """Return the URL of an empty database; making a new one for each test takes too long."""
    parts = urlsplit(mysql_room)
    with (
        pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            database=parts.path[1:],
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
        cursor.execute("SHOW TABLES")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE `{table}`")
    return mysql_room


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture(
    params=[
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mysql),
    ]
)
def server_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database on each kind of server in turn."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return what opens databases; they are closed after the test, before they are dropped."""
    opened: list[Database] = []

    def open_one(url: str, *, branch_id: str = BRANCH, **options: Any) -> Database:
        made = Database(url, branch_id=branch_id, backup_dir=tmp_path / "backups", **options)
        made.open()
        opened.append(made)
        return made

    yield open_one
    for one in opened:
        one.close(CLOSE_TIMEOUT_S)
