"""A server and its files are its owner's alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cyme.adapters.embedded_broker import EmbeddedBroker, EmbeddedService
from cyme.errors import EmbeddedBrokerFailed
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker, ensured

STRANGER = 12_345


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedService]:
    """Yield a server for the tests that leave it as it is."""
    embedded = EmbeddedBroker(tmp_path_factory.mktemp("served"), "main")
    yield ensured(embedded)
    embedded.stop(TIMEOUT_S)


def test_listens_on_loopback_only_and_wants_the_password(make: MakeBroker) -> None:
    service = ensured(make())
    listening = [
        connection.laddr
        for connection in psutil.Process(service.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == [("127.0.0.1", service.broker.port)]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=service.broker.port or 0, retry=Retry(NoBackoff(), 0)).ping()


def test_shows_its_password_to_its_owner_alone(
    make: MakeBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        service = ensured(make())
    password = service.broker.password
    assert password is not None
    assert len(password) >= 32
    assert password not in " ".join(psutil.Process(service.pid).cmdline())
    assert password not in repr(psutil.Process(service.pid).environ())
    assert password not in caplog.text
    assert password not in repr(service)
    directory = tmp_path / "state" / "main"
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def careless() -> Iterator[None]:
    """Have files made for everybody where nobody takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("careless")
def test_its_files_are_its_owners_whatever_the_umask(make: MakeBroker, tmp_path: Path) -> None:
    redis.Redis.from_url(ensured(make()).broker.url).set("key", "value")
    state = tmp_path / "state"
    made = [state, *state.rglob("*")]
    assert any(file.parent.name == "appendonlydir" for file in made)
    assert [file for file in made if file.stat().st_mode & 0o077] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_the_directory_of_somebody_else_is_not_used(make: MakeBroker, tmp_path: Path) -> None:
    directory = tmp_path / "state" / "main"
    directory.mkdir(parents=True)
    os.chown(directory, STRANGER, -1)
    with pytest.raises(EmbeddedBrokerFailed, match=f"number {STRANGER}"):
        make().ensure(TIMEOUT_S)
    assert list(directory.iterdir()) == []


def test_a_link_is_not_followed_to_another_directory(make: MakeBroker, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "main").symlink_to(elsewhere)
    with pytest.raises(EmbeddedBrokerFailed, match="a link"):
        make().ensure(TIMEOUT_S)
    assert elsewhere.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG SET bind 0.0.0.0",
        "DEBUG SLEEP 0",
        "MODULE LIST",
        "REPLICAOF 127.0.0.1 1",
        "SLAVEOF 127.0.0.1 1",
        "MIGRATE 127.0.0.1 1 key 0 10",
        "ACL WHOAMI",
    ],
)
def test_who_knows_the_password_cannot_change_the_server(
    served: EmbeddedService, command: str
) -> None:
    client = redis.Redis.from_url(served.broker.url)
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command(*command.split())


def test_leaves_the_environment_of_the_branch_behind(
    make: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "its value")
    telling = tmp_path / "telling-server"
    telling.write_text("#!/bin/sh\n/usr/bin/printenv SOME_SECRET\necho that was all\n")
    telling.chmod(0o700)
    with pytest.raises(EmbeddedBrokerFailed, match="that was all") as caught:
        make(program=telling).ensure(TIMEOUT_S)
    assert "its value" not in caught.value.detail
