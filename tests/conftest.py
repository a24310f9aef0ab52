"""Patches the test process as ``cyme-branch`` patches its own: before anything else is loaded.

``CYME_TESTS_PATCHED=0`` leaves it as it is, which shows that the core needs none of it.
"""

import os

if os.environ.get("CYME_TESTS_PATCHED", "1") != "0":
    from gevent import monkey

    monkey.patch_all()

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """Return the URL of a virtual host that belongs to this test process."""
    from tests import servers

    with servers.rabbitmq() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Return the URL of a Redis database that belongs to this test process."""
    from tests import servers

    with servers.redis_database() as url:
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """Return the URL of a PostgreSQL database that belongs to this test."""
    from tests import servers

    with servers.postgres_database() as url:
        yield url


@pytest.fixture
def mysql_url() -> Iterator[str]:
    """Return the URL of a MySQL database that belongs to this test."""
    from tests import servers

    with servers.mysql_database() as url:
        yield url
