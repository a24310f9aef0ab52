from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from cyme.adapters.database import backups
from cyme.adapters.database.migrations import MIGRATIONS, AddColumn, Migration
from cyme.adapters.database.session import Session
from cyme.core.model import (
    App,
    AppName,
    BranchId,
    Broker,
    Instance,
    InstanceName,
    Queue,
    QueueName,
    Record,
    Stamp,
    WorkerSpec,
)
from cyme.errors import DatabaseUnusable, SchemaTooNew

from .conftest import Open
from .samples import BRANCH, app

T = 10.0
NEWEST = MIGRATIONS[-1].version

NEXT = Migration(
    len(MIGRATIONS) + 1,
    (
        "CREATE TABLE IF NOT EXISTS cyme_next (name VARCHAR(10), note {text}) {table_options}",
        "INSERT INTO cyme_next SELECT 'apps', COUNT(*) FROM cyme_app",
    ),
)
LATER = (*MIGRATIONS, NEXT)
BROKEN = (
    *MIGRATIONS,
    Migration(NEXT.version, (*NEXT.statements, "INSERT INTO cyme_nowhere VALUES (1)")),
)


def test_the_versions_have_no_gaps() -> None:
    assert MIGRATIONS[0].version == 1
    assert all(a.version + 1 == b.version for a, b in pairwise(MIGRATIONS))


def test_a_new_database_takes_all_steps(url: str, database: Open) -> None:
    store = database(url, migrations=LATER)
    assert store._do(lambda s: s.execute("SELECT name FROM cyme_next").fetchall(), T)


def test_an_older_database_takes_the_steps_that_it_lacks_once(url: str, database: Open) -> None:
    store = database(url)
    store.write([app("one"), app("two")], timeout_s=T)
    store.close(T)
    for _ in range(2):
        store = database(url, migrations=LATER)
        notes = store._do(lambda s: s.execute("SELECT note FROM cyme_next").fetchall(), T)
        assert [int(note) for (note,) in cast(list[tuple[str]], notes)] == [2]
        assert len(store.load()) == 2
        store.close(T)


# --- what each step makes of what was there ------------------------------------------------------

#: A database as the first schema had it: an app, two instances, one of them deleted, a queue.
FIRST_ROWS = (
    """
    INSERT INTO cyme_broker (digest, url, virtual_host)
    VALUES ('d1', 'redis://:secret@cache:6379/0', '0')
    """,
    """
    INSERT INTO cyme_app (
        name, broker_id, pool, env, stamp_ms, stamp_counter, stamp_origin,
        version, created_at, updated_at, deleted
    ) VALUES (
        'shop', 'd1', 'solo', '{"A": "1"}', 1700000000000, 2, 'branch-a',
        3, 1700000000.25, 1700000001.125, FALSE
    )
    """,
    """
    INSERT INTO cyme_instance (
        name, app, home, owner, epoch, queues, pinned, broker_id, is_enabled,
        version, created_at, updated_at, deleted
    ) VALUES (
        'w1', 'shop', 'branch-a', 'branch-a', 4, '["orders"]', TRUE, 'd1', TRUE,
        7, 1700000000.25, 1700000001.0006, FALSE
    ), (
        'w2', 'shop', 'branch-a', 'branch-b', 1, '[]', FALSE, NULL, NULL,
        2, 0, 1.5, TRUE
    )
    """,
    """
    INSERT INTO cyme_queue (
        app, name, exchange_type, stamp_ms, stamp_counter, stamp_origin,
        version, created_at, updated_at, deleted
    ) VALUES ('shop', 'orders', 'topic', 5, 6, 'branch-a', 1, 0.5, 0.5, FALSE)
    """,
)

#: The same as records of now.
FIRST_RECORDS: set[Record] = {
    App(
        name=AppName("shop"),
        spec=WorkerSpec(
            broker=Broker("redis://:secret@cache:6379/0"), pool="solo", env=(("A", "1"),)
        ),
        stamp=Stamp(1_700_000_000_000, 2, BRANCH),
        version=3,
        created_at=1_700_000_000.25,
        updated_at=1_700_000_001.125,
    ),
    Instance(
        name=InstanceName("w1"),
        app=AppName("shop"),
        home=BranchId(BRANCH),
        owner=BranchId(BRANCH),
        epoch=4,
        generation=1,
        stamp=Stamp(1_700_000_001_001, 0, BRANCH),
        version=7,
        spec=WorkerSpec(broker=Broker("redis://:secret@cache:6379/0"), is_enabled=True),
        queues=(QueueName("orders"),),
        pinned=True,
        created_at=1_700_000_000.25,
        updated_at=1_700_000_001.0006,
    ),
    Instance(
        name=InstanceName("w2"),
        app=AppName("shop"),
        home=BranchId(BRANCH),
        owner=BranchId("branch-b"),
        generation=1,
        stamp=Stamp(1500, 0, "branch-b"),
        version=2,
        spec=WorkerSpec(),
        updated_at=1.5,
        deleted=True,
    ),
    Queue(
        app=AppName("shop"),
        name=QueueName("orders"),
        exchange_type="topic",
        stamp=Stamp(5, 6, BRANCH),
        created_at=0.5,
        updated_at=0.5,
    ),
}


def first_database(url: str, database: Open) -> None:
    """Make a database of the first schema with rows in it."""
    store = database(url, migrations=MIGRATIONS[:1])
    for statement in FIRST_ROWS:
        store._do(partial(_execute, statement=statement), T)
    store.close(T)


def _execute(session: Session, statement: str) -> None:
    session.execute(statement)


def test_an_instance_of_the_first_schema_is_of_the_first_generation_and_stamped(
    url: str, database: Open
) -> None:
    first_database(url, database)
    for _ in range(2):
        store = database(url)
        assert set(store.load()) == FIRST_RECORDS
        store.close(T)


def test_what_was_migrated_can_be_written_again(url: str, database: Open) -> None:
    first_database(url, database)
    store = database(url)
    changed = [
        replace(record, spec=replace(record.spec, labels=(("zone", "a"),)), version=99)
        for record in store.load()
        if not isinstance(record, Queue)
    ]
    store.write(changed, timeout_s=T)
    assert set(changed) <= set(store.load())


@pytest.mark.mysql
def test_a_second_step_that_was_cut_short_is_repeated(mysql_url: str, database: Open) -> None:
    first_database(mysql_url, database)
    store = database(mysql_url, migrations=MIGRATIONS[:1])
    for statement in MIGRATIONS[1].statements[:4]:
        assert isinstance(statement, AddColumn)
        store._do(partial(_execute, statement=statement.sql.format(text="MEDIUMTEXT")), T)
    store.close(T)
    assert set(database(mysql_url).load()) == FIRST_RECORDS


# --- a step that goes wrong ----------------------------------------------------------------------


def test_a_newer_database_is_refused_and_left_alone(url: str, database: Open) -> None:
    store = database(url, migrations=LATER)
    store.write([app()], timeout_s=T)
    store.close(T)
    with pytest.raises(
        SchemaTooNew, match=rf"schema {NEXT.version}.*up to {NEWEST}.*Nothing was changed"
    ):
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
    assert backup.name.startswith(f"cyme-schema{NEWEST}-")
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
    store._do(lambda s: s.execute("CREATE TABLE cyme_next (name VARCHAR(10), note TEXT)"), T)
    store.close(T)
    store = database(mysql_url, migrations=LATER)
    assert store._do(lambda s: s.execute("SELECT note FROM cyme_next").fetchall(), T)


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
