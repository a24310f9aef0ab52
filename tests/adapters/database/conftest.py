"""Databases to test with: a SQLite file, and a database of its own on each server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cyme.adapters.database import Database

from .samples import BRANCH

CLOSE_TIMEOUT_S = 10.0

Open = Callable[..., Database]


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "cyme.sqlite"


@pytest.fixture
def sqlite_url(sqlite_path: Path) -> str:
    return f"sqlite://{sqlite_path}"


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
