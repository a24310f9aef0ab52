"""What every kind of database must do alike."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyme.adapters.database import servers
from cyme.adapters.database.models import TABLES, Broker, Table
from cyme.adapters.database.statements import run
from cyme.core.model import Queue, Record
from cyme.errors import DatabaseUnusable, DirectoryLocked, InvalidRequest, StorageUnavailable

from .conftest import Open
from .samples import ALIKE, FULL, app, instance, queue, records, refused, tombstone

T = 10.0


def _key(record: Record) -> tuple[type[Record], str, str]:
    return type(record), record.app if isinstance(record, Queue) else "", record.name


def _by_key(found: object) -> dict[tuple[type[Record], str, str], Record]:
    assert isinstance(found, list)
    return {_key(record): record for record in found}


def test_returns_what_was_written_also_after_a_restart(url: str, database: Open) -> None:
    first = database(url)
    first.write([*FULL, *ALIKE], timeout_s=T)
    expected = {_key(record): record for record in (*FULL, *ALIKE)}
    assert _by_key(first.load()) == expected
    first.close(T)
    assert _by_key(database(url).load()) == expected


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(records, max_size=5))
def test_any_records_survive_the_disk(
    sqlite_url: str, database: Open, written: list[Record]
) -> None:
    store = database(sqlite_url)
    store.write(written, timeout_s=T)
    found = _by_key(store.load())
    store.close(T)
    last = {_key(record): record for record in written}
    assert {key: found[key] for key in last} == last


def test_a_later_write_replaces_a_record(url: str, database: Open) -> None:
    store = database(url)
    for version in (1, 2, 3):
        store.write([app(version=version)], timeout_s=T)
    assert store.load() == [app(version=3)]


def test_the_columns_are_those_that_the_models_name(url: str, database: Open) -> None:
    store = database(url)

    def columns(session: object) -> dict[str, set[str]]:
        db = session.db  # type: ignore[attr-defined]
        return {table.table_name(): _columns(db, table) for table in TABLES}

    assert store._do(columns, T) == {
        table.table_name(): {field.column_name for field in table._meta.sorted_fields}
        for table in TABLES
    }


def _columns(db: object, table: type[Table]) -> set[str]:
    cursor = run(db, f"SELECT * FROM {table.table_name()}")  # type: ignore[arg-type]
    return {column[0] for column in cursor.description}


def test_writes_all_records_or_none(url: str, database: Open) -> None:
    store = database(url)
    store.write([app("before")], timeout_s=T)
    with pytest.raises(StorageUnavailable):
        store.write([app("fine"), refused()], timeout_s=T)
    assert store.load() == [app("before")]
    assert store.healthy(), "a content that is refused says nothing about the database"


def test_refuses_bad_text_before_it_reaches_the_database(url: str, database: Open) -> None:
    store = database(url)
    with pytest.raises(InvalidRequest):
        store.write([app("fine"), app("bad", broker="amqp://h/\0")], timeout_s=T)
    assert store.load() == []


def test_forgets_tombstones_and_nothing_that_lives(url: str, database: Open) -> None:
    store = database(url)
    dead = tombstone(app("dead"))
    store.write([dead, app("alive"), queue("q")], timeout_s=T)
    store.forget([dead, app("alive"), queue("q"), instance("never was")])
    assert store.load() == [app("alive"), queue("q")]


def test_keeps_no_broker_that_nothing_uses(url: str, database: Open) -> None:
    store = database(url)
    store.write(
        [app(broker="amqp://old:pw@h//"), instance(broker="amqp://shared@h//")], timeout_s=T
    )
    store.write([app(broker="amqp://new:pw@h//")], timeout_s=T)
    urls = store._do(lambda session: {row["url"] for row in session.rows(Broker)}, T)
    assert urls == {"amqp://new:pw@h//", "amqp://shared@h//"}


def test_a_foreign_key_holds_brokers(url: str, database: Open) -> None:
    store = database(url)
    store.write([app(broker="amqp://h//")], timeout_s=T)
    with pytest.raises(StorageUnavailable):
        store._do(lambda session: session.execute("DELETE FROM cyme_broker"), T)
    assert store.load() == [app(broker="amqp://h//")]


def test_a_second_branch_is_kept_out_until_the_first_has_closed(
    url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "LOCK_WAIT_S", 0.2)
    first = database(url)
    with pytest.raises(DirectoryLocked, match="Another branch uses"):
        database(url)
    first.write([app()], timeout_s=T)
    first.close(T)
    assert database(url).load() == [app()]


def test_refuses_the_database_of_another_branch(url: str, database: Open) -> None:
    database(url, branch_id="branch-a").close(T)
    with pytest.raises(DatabaseUnusable, match=r"'branch-a'.*'branch-b'"):
        database(url, branch_id="branch-b")
    database(url, branch_id="branch-a")


def test_is_closed_after_closing(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    assert store.healthy()
    store.close(T)
    assert not store.healthy()
    with pytest.raises(StorageUnavailable):
        store.write([app()], timeout_s=T)
    store.close(T)


def test_writing_nothing_asks_nothing(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    store.write([], timeout_s=T)
    store.forget([])
    assert store.writes_and_groups == (0, 0)
