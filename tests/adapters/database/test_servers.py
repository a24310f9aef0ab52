from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import gevent
import pytest

from cyme.adapters.database import servers, writer
from cyme.errors import (
    DatabaseUnusable,
    DeadlineExceeded,
    DirectoryLocked,
    SettingsError,
    StorageUnavailable,
)
from tests import servers as rooms
from tests.waiting import eventually

from .conftest import Open
from .proxy import Relay
from .samples import app

T = 10.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "LOCK_WAIT_S", 0.5)
    monkeypatch.setattr(writer, "PROBE_PERIOD_S", 0.05)


@pytest.fixture
def relay(server_url: str) -> Iterator[Relay]:
    made = Relay(server_url)
    yield made
    made.close()


def test_a_connection_that_died_unseen_is_replaced(server_url: str, database: Open) -> None:
    store = database(server_url)
    store.write([app("before")], timeout_s=T)
    with pytest.raises(StorageUnavailable):
        store._do(_end_own_connection, T)
    store.write([app("after")], timeout_s=T)
    assert len(store.load()) == 2
    with pytest.raises(DirectoryLocked):
        database(server_url)


def test_recovers_by_itself_when_the_server_is_back(relay: Relay, database: Open) -> None:
    store = database(relay.url)
    store.write([app("before")], timeout_s=T)
    relay.go_away()
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        store.write([app("lost")], timeout_s=T)
    assert not store.healthy()
    relay.come_back()
    eventually(store.healthy)
    store.write([app("after")], timeout_s=T)
    assert {record.name for record in store.load()} == {"before", "after"}


def test_sees_a_server_go_while_nobody_asks(
    relay: Relay, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_PROBE_PERIOD_S", 0.05)
    store = database(relay.url)
    relay.go_away()
    eventually(lambda: not store.healthy())
    assert "cannot be reached" in str(store.fault())
    relay.come_back()
    eventually(store.healthy)
    assert store.fault() is None


def test_a_server_that_hangs_delays_nobody_past_his_deadline(
    relay: Relay, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "STUCK_AFTER_S", 0.2)
    store = database(relay.url)
    relay.hang()
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        store.write([app("unknown")], timeout_s=0.3)
    assert time.monotonic() - started < 10
    eventually(lambda: not store.healthy())
    assert "has not answered for" in str(store.fault())
    relay.flow()
    eventually(store.healthy)
    store.write([app("after")], timeout_s=T)


def test_another_branch_may_take_over_and_the_first_writes_no_more(
    server_url: str, relay: Relay, database: Open
) -> None:
    first = database(relay.url)
    relay.go_away()
    second = database(server_url)
    relay.come_back()
    with pytest.raises(StorageUnavailable, match="Another branch uses"):
        first.write([app("first")], timeout_s=T)
    second.write([app("second")], timeout_s=T)
    assert second.load() == [app("second")]
    second.close(T)
    eventually(first.healthy)
    assert first.load() == [app("second")]


def test_two_databases_of_one_server_do_not_meet(server_url: str, database: Open) -> None:
    room = rooms.postgres_database if "postgres" in server_url else rooms.mysql_database
    with room() as other_url:
        one, two = database(server_url), database(other_url)
        one.write([app("one")], timeout_s=T)
        assert two.load() == []
        two.close(T)


@pytest.mark.parametrize("change", ["password", "database", "port"])
def test_says_what_is_wrong_when_it_cannot_connect(
    server_url: str, change: str, database: Open
) -> None:
    url = {
        "password": server_url.replace("@", "nobody:s3cret@"),
        "database": server_url + "_nowhere",
        "port": server_url.replace(":5432", ":1").replace(":3306", ":1"),
    }[change]
    with pytest.raises(DatabaseUnusable, match="Look whether the server runs") as caught:
        database(url)
    assert "s3cret" not in caught.value.detail


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [("postgresql://h/x", "psycopg", "postgres"), ("mysql://h/x", "pymysql", "mysql")],
)
def test_names_the_package_that_is_missing(
    url: str, module: str, extra: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DatabaseUnusable, match=rf"pip install 'cyme\[{extra}\]'"):
        database(url)


@pytest.mark.parametrize("url", ["postgresql://h", "mysql:///x", "postgres://h:port/x"])
def test_refuses_a_url_that_lacks_a_part(url: str, database: Open) -> None:
    with pytest.raises(SettingsError):
        database(url)


def test_options_in_the_url_reach_the_driver(server_url: str, database: Open) -> None:
    option = "connect_timeout=3" if "postgres" in server_url else "charset=utf8mb4"
    database(f"{server_url}?{option}").close(T)
    with pytest.raises(DatabaseUnusable, match="no_such_option"):
        database(f"{server_url}?no_such_option=1")


def _end_own_connection(session: object) -> None:
    execute = session.execute  # type: ignore[attr-defined]
    if "postgres" in session._backend.name:  # type: ignore[attr-defined]
        execute("SELECT pg_terminate_backend(pg_backend_pid())")
    else:
        execute("KILL CONNECTION_ID()")
    gevent.idle()
