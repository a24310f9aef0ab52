"""The real servers that tests talk to: where they are, and a room of its own on each.

A server that does not answer is a skipped test on a laptop and a failed one where
``CYME_TESTS_REQUIRE_SERVERS`` names it (``rabbitmq,redis,postgres,mysql``, or ``1`` for all).
``CYME_TEST_RABBITMQ``, ``CYME_TEST_REDIS``, ``CYME_TEST_POSTGRES`` and ``CYME_TEST_MYSQL`` hold
the URLs of servers elsewhere.

No test touches what others keep on a server: each takes a virtual host, a database number or a
database that did not exist before, and removes it afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import uuid4

import kombu
import psycopg
import pymysql
import pytest
import redis

URLS = {
    "rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
    "redis": "redis://127.0.0.1:6379/0",
    "postgres": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mysql": "mysql://root@127.0.0.1:3306/mysql",
}

CONNECT_TIMEOUT_S = 5.0
RABBITMQCTL_TIMEOUT_S = 60.0

#: A claim on a Redis database ends by itself if the test process dies.
REDIS_CLAIM_S = 3600


def url_of(server: str) -> str:
    """Return the URL of a server: the environment's, or the usual one of this machine."""
    return os.environ.get(f"CYME_TEST_{server.upper()}", URLS[server])


def is_required(server: str) -> bool:
    """Return whether a missing server is a failure here."""
    wanted = os.environ.get("CYME_TESTS_REQUIRE_SERVERS", "")
    return wanted == "1" or server in wanted.split(",")


def missing(server: str, exc: Exception) -> NoReturn:
    """Skip the test, or fail it where the server is required."""
    reason = (
        f"{server} does not answer at {urlsplit(url_of(server)).hostname}: {exc} "
        f"(CYME_TEST_{server.upper()} names another)"
    )
    if is_required(server):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def rabbitmq() -> Iterator[str]:
    """Yield the URL of a new virtual host; of the server's own where none can be made."""
    url = url_of("rabbitmq")
    try:
        with kombu.Connection(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except kombu.exceptions.OperationalError as exc:
        missing("rabbitmq", exc)
    name = f"cyme-test-{uuid4().hex[:12]}"
    user = unquote(urlsplit(url).username or "guest")
    if not _rabbitmqctl("add_vhost", name):
        yield url
        return
    try:
        _rabbitmqctl("set_permissions", "-p", name, user, ".*", ".*", ".*")
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*arguments: str) -> bool:
    """Run rabbitmqctl; return False where it is not installed or not allowed."""
    program = shutil.which("rabbitmqctl") or shutil.which("rabbitmqctl", path="/usr/sbin")
    if program is None:
        return False
    done = subprocess.run(
        [program, "-q", *arguments],
        capture_output=True,
        check=False,
        timeout=RABBITMQCTL_TIMEOUT_S,
    )
    return done.returncode == 0


@contextmanager
def redis_database() -> Iterator[str]:
    """Yield the URL of a Redis database that was empty and is claimed for this process."""
    parts = urlsplit(url_of("redis"))
    for number in range(15, 0, -1):
        url = urlunsplit(parts._replace(path=f"/{number}"))
        client = redis.Redis.from_url(url, socket_timeout=CONNECT_TIMEOUT_S)
        try:
            claimed = client.set("cyme-test", os.getpid(), nx=True, ex=REDIS_CLAIM_S)
            if claimed and client.dbsize() == 1:
                yield url
                client.flushdb()
                return
            if claimed:
                client.delete("cyme-test")
        except redis.ConnectionError as exc:
            missing("redis", exc)
        finally:
            client.close()
    pytest.fail("all the Redis databases from 1 to 15 hold something: empty one (FLUSHDB)")


@contextmanager
def postgres_database() -> Iterator[str]:
    """Yield the URL of a new PostgreSQL database."""
    url = url_of("postgres")
    name = f"cyme_test_{uuid4().hex[:12]}"
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=int(CONNECT_TIMEOUT_S))
    except psycopg.OperationalError as exc:
        missing("postgres", exc)
    with connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def mysql_database() -> Iterator[str]:
    """Yield the URL of a new MySQL or MariaDB database."""
    parts = urlsplit(url_of("mysql"))
    name = f"cyme_test_{uuid4().hex[:12]}"
    try:
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            connect_timeout=int(CONNECT_TIMEOUT_S),
        )
    except pymysql.err.OperationalError as exc:
        missing("mysql", exc)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}`")
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            cursor.execute(f"DROP DATABASE `{name}`")
