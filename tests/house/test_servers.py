"""The fixtures give each test a room of its own on a real server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit, urlunsplit

import kombu
import psycopg
import pytest
import redis

from tests import servers


@pytest.mark.rabbitmq
def test_a_virtual_host_takes_messages(rabbitmq_url: str) -> None:
    with kombu.Connection(rabbitmq_url) as connection, connection.SimpleQueue("a") as queue:
        queue.put("x")
        assert queue.get(timeout=5).payload == "x"


@pytest.mark.redis
def test_a_redis_database_is_claimed_once(redis_url: str) -> None:
    with servers.redis_database() as second:
        assert second != redis_url
        redis.Redis.from_url(second).set("a", "b")
    assert redis.Redis.from_url(second).dbsize() == 0


@pytest.mark.postgres
def test_a_postgres_database_is_new_and_goes_again() -> None:
    with servers.postgres_database() as url, psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone()
        assert tables == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


@pytest.mark.mysql
def test_a_mysql_database_is_new_and_goes_again(mysql_url: str) -> None:
    assert "cyme_test_" in mysql_url


@pytest.mark.parametrize(
    ("server", "room"),
    [
        ("rabbitmq", servers.rabbitmq),
        ("redis", servers.redis_database),
        ("postgres", servers.postgres_database),
        ("mysql", servers.mysql_database),
    ],
)
def test_a_missing_server_is_skipped_or_where_it_is_required_a_failure(
    server: str, room: Callable[[], AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = urlsplit(servers.URLS[server])
        login = f"{url.username}@" if url.username else ""
        address = f"{login}127.0.0.1:{nobody.getsockname()[1]}"
    monkeypatch.setenv(f"CYME_TEST_{server.upper()}", urlunsplit(url._replace(netloc=address)))
    monkeypatch.setenv("CYME_TESTS_REQUIRE_SERVERS", "")
    with pytest.raises(pytest.skip.Exception, match=server), room():
        pass
    monkeypatch.setenv("CYME_TESTS_REQUIRE_SERVERS", server)
    with pytest.raises(pytest.fail.Exception, match=server), room():
        pass
