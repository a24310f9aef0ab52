"""A server starts for the branches of a cluster, serves them, outlives them and is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import redis

from cyme.adapters.embedded_broker import EmbeddedBroker, EmbeddedState
from cyme.adapters.embedded_broker.directory import LOG_BYTES_MAX
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker, ensured
from tests.waiting import fastest_s


def test_starts_a_server_that_serves_messages_and_results(make: MakeBroker) -> None:
    service = ensured(make())
    assert service.started
    assert service.moved_from is None
    assert redis.Redis.from_url(service.broker.url).ping()
    assert redis.Redis.from_url(service.result_backend).set("key", "value")
    assert redis.Redis.from_url(service.broker.url).get("key") is None


def test_answers_within_the_promised_time_and_memory(make: MakeBroker) -> None:
    assert fastest_s(lambda attempt: ensured(make(f"attempt{attempt}"))) < 0.6
    service = ensured(make("attempt0"))
    assert psutil.Process(service.pid).memory_info().rss < 20 * 2**20


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
    assert fastest_s(lambda _: ensured(embedded)) < 0.1
    again = ensured(embedded)
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


def test_stops_and_keeps_its_url_and_its_data(make: MakeBroker) -> None:
    embedded = make()
    before = ensured(embedded)
    redis.Redis.from_url(before.broker.url).set("key", "value")
    assert embedded.stop(TIMEOUT_S)
    assert embedded.status().state is EmbeddedState.STOPPED
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


def test_status_shows_the_running_server(make: MakeBroker) -> None:
    assert make().status().state is EmbeddedState.STOPPED
    service = ensured(make())
    status = make().status()
    assert status.state is EmbeddedState.RUNNING
    assert status.service is not None
    assert status.service.pid == service.pid


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
