from __future__ import annotations

import sqlite3
import stat
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from cyme.adapters.database import backups
from cyme.adapters.database.migrations import MIGRATIONS, Migration
from cyme.errors import DatabaseUnusable, SchemaTooNew

from .conftest import Open
from .samples import app

T = 10.0

SECOND = Migration(
    len(MIGRATIONS) + 1,
    (
        "CREATE TABLE IF NOT EXISTS cyme_second (name VARCHAR(10), note {text}) {table_options}",
        "INSERT INTO cyme_second SELECT 'apps', COUNT(*) FROM cyme_app",
    ),
)
LATER = (*MIGRATIONS, SECOND)
BROKEN = (
    *MIGRATIONS,
    Migration(SECOND.version, (*SECOND.statements, "INSERT INTO cyme_nowhere VALUES (1)")),
)


def test_the_versions_have_no_gaps() -> None:
    assert MIGRATIONS[0].version == 1
    assert all(a.version + 1 == b.version for a, b in pairwise(MIGRATIONS))


def test_a_new_database_takes_all_steps(url: str, database: Open) -> None:
    store = database(url, migrations=LATER)
    assert store._do(lambda s: s.execute("SELECT name FROM cyme_second").fetchall(), T)


def test_an_older_database_takes_the_steps_that_it_lacks_once(url: str, database: Open) -> None:
    store = database(url)
    store.write([app("one"), app("two")], timeout_s=T)
    store.close(T)
    for _ in range(2):
        store = database(url, migrations=LATER)
        notes = store._do(lambda s: s.execute("SELECT note FROM cyme_second").fetchall(), T)
        assert [int(note) for (note,) in cast(list[tuple[str]], notes)] == [2]
        assert len(store.load()) == 2
        store.close(T)


def test_a_newer_database_is_refused_and_left_alone(url: str, database: Open) -> None:
    store = database(url, migrations=LATER)
    store.write([app()], timeout_s=T)
    store.close(T)
    with pytest.raises(SchemaTooNew, match=r"schema 2.*up to 1.*Nothing was changed"):
        database(url)
    assert database(url, migrations=LATER).load() == [app()]


def test_a_newer_file_keeps_every_byte(sqlite_url: str, sqlite_path: Path, database: Open) -> None:
    database(sqlite_url, migrations=LATER).close(T)
    before = sqlite_path.read_bytes()
    with pytest.raises(SchemaTooNew):
        database(sqlite_url)
    assert sqlite_path.read_bytes() == before


def test_a_backup_is_made_before_a_step(sqlite_url: str, tmp_path: Path, database: Open) -> None:
    store = database(sqlite_url)
    store.write([app("kept")], timeout_s=T)
    store.close(T)
    assert not (tmp_path / "backups").exists(), "a new database needs none"
    database(sqlite_url, migrations=LATER)
    (backup,) = backups.backups_in(tmp_path / "backups")
    assert backup.name.startswith("cyme-schema1-")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700
    assert database(f"sqlite://{backup}").load() == [app("kept")]


def test_nothing_is_changed_where_no_backup_can_be_made(
    sqlite_url: str, tmp_path: Path, database: Open
) -> None:
    database(sqlite_url).close(T)
    (tmp_path / "backups").touch()
    with pytest.raises(DatabaseUnusable, match="no backup"):
        database(sqlite_url, migrations=LATER)
    database(sqlite_url)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_step_that_fails_leaves_the_schema_as_it_was(
    kind: str, request: pytest.FixtureRequest, database: Open
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    store = database(url)
    store.write([app()], timeout_s=T)
    store.close(T)
    with pytest.raises(DatabaseUnusable, match="cyme_nowhere"):
        database(url, migrations=BROKEN)
    store = database(url, migrations=LATER)
    assert store.load() == [app()]


@pytest.mark.mysql
def test_a_step_that_was_cut_short_is_repeated(mysql_url: str, database: Open) -> None:
    store = database(mysql_url)
    store._do(lambda s: s.execute("CREATE TABLE cyme_second (name VARCHAR(10), note TEXT)"), T)
    store.close(T)
    store = database(mysql_url, migrations=LATER)
    assert store._do(lambda s: s.execute("SELECT note FROM cyme_second").fetchall(), T)


def test_only_the_newest_backups_are_kept(tmp_path: Path) -> None:
    made = [
        backups.make_backup(tmp_path, schema, Path.touch)
        for schema in range(10, 10 + backups.BACKUPS_MAX + 3)
    ]
    assert list(backups.backups_in(tmp_path)) == made[: -backups.BACKUPS_MAX - 1 : -1]
    assert len(list(tmp_path.iterdir())) == backups.BACKUPS_MAX


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(copy: Path) -> None:
        copy.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        backups.make_backup(tmp_path, 1, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_our_tables_is_a_new_one(
    sqlite_url: str, sqlite_path: Path, database: Open
) -> None:
    with sqlite3.connect(sqlite_path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    database(sqlite_url).write([app()], timeout_s=T)
