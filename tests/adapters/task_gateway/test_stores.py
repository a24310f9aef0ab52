"""Result backends are asked as Celery writes them, and nothing of theirs is unpickled."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import celery
import gevent
import pytest
import redis

from cyme.adapters.clock import SystemClock
from cyme.adapters.task_gateway.polling import PolledResults
from cyme.adapters.task_gateway.stores import ForeignStore, RedisStore, store_of
from cyme.core.tasks import PENDING, TaskState
from cyme.errors import BrokerUnavailable, NotSupported
from tests.adapters.proxy import FreezingProxy
from tests.adapters.task_gateway.ground import unique
from tests.waiting import eventually


def test_a_store_that_would_run_code_is_not_asked() -> None:
    for url in ("db+sqlite:///results.db", "database://x", "cache+memcached://127.0.0.1/"):
        with pytest.raises(NotSupported, match="result_backend"):
            store_of(url)


def test_the_kind_of_store_follows_from_the_url(tmp_path: Path) -> None:
    assert isinstance(store_of("redis://127.0.0.1/1"), RedisStore)
    assert isinstance(store_of("rediss://127.0.0.1/1"), RedisStore)
    assert isinstance(store_of(f"file://{tmp_path}"), ForeignStore)


def test_a_store_of_files_is_read(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    backend = celery.Celery(backend=url, set_as_current=False).backend
    backend.store_result("a", {"told": 1}, "SUCCESS")
    backend.mark_as_failure("b", ValueError("because", 2))
    results = PolledResults(store_of(url), SystemClock())
    assert results.outcome("a", timeout_s=5).result == {"told": 1}
    failure = results.wait("b", timeout_s=5)
    assert failure.state is TaskState.FAILURE
    assert failure.result == {"exc_type": "ValueError", "exc_message": "because, 2"}
    assert results.outcome("c", timeout_s=5) == PENDING
    results.stop()


def test_a_store_that_is_closed_leaves_no_thread(tmp_path: Path) -> None:
    def threads() -> set[str]:
        return {entry.name for entry in Path("/proc/self/task").iterdir()}

    before = threads()
    stores = [store_of(f"file://{tmp_path}") for _ in range(5)]
    for store in stores:
        store.look(["a"])
    made = threads() - before
    assert len(made) >= len(stores)
    for store in stores:
        store.close()
    eventually(lambda: not made & threads())


@pytest.mark.redis
class TestOnRedis:
    def test_compressed_and_failed_results_are_read(self, redis_url: str) -> None:
        app = celery.Celery(backend=redis_url, set_as_current=False)
        app.conf.result_compression = "gzip"
        done, failed = unique("done"), unique("failed")
        app.backend.store_result(done, "x" * 5000, "SUCCESS")
        app.backend.mark_as_failure(failed, ValueError("because"))
        results = PolledResults(store_of(redis_url), SystemClock())
        assert results.outcome(done, timeout_s=5).result == "x" * 5000
        assert results.outcome(failed, timeout_s=5).result == {
            "exc_type": "ValueError",
            "exc_message": "because",
        }
        results.stop()

    def test_a_pickled_result_is_a_failure_that_says_so(self, redis_url: str) -> None:
        class Trap:
            def __reduce__(self) -> tuple[object, ...]:
                return pytest.fail, ("it was unpickled",)

        task_id = unique("trap")
        with redis.Redis.from_url(redis_url) as client:
            client.set(f"celery-task-meta-{task_id}", pickle.dumps(Trap()))
        results = PolledResults(store_of(redis_url), SystemClock())
        assert results.wait(task_id, timeout_s=5).state is TaskState.FAILURE
        results.stop()

    def test_more_tasks_than_one_question_holds_are_asked_for(self, redis_url: str) -> None:
        ids = [unique("many") for _ in range(450)]
        with redis.Redis.from_url(redis_url) as client:
            client.mset({f"celery-task-meta-{task_id}": task_id for task_id in ids})
        store = RedisStore(redis_url)
        assert store.look(ids) == {task_id: task_id.encode() for task_id in ids}
        store.close()

    def test_a_store_that_hangs_is_unavailable_in_time(self, redis_url: str) -> None:
        proxy = FreezingProxy(redis_url)
        proxy.start()
        results = PolledResults(store_of(proxy.url), SystemClock())
        assert results.outcome("a", timeout_s=5) == PENDING
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable):
            results.outcome("a", timeout_s=0.5)
        assert time.monotonic() - began < 5
        proxy.thaw()
        eventually(lambda: _is_pending(results, "a"))
        results.stop()
        proxy.stop()


def _is_pending(results: PolledResults, task_id: str) -> bool:
    try:
        return results.outcome(task_id, timeout_s=5) == PENDING
    except BrokerUnavailable:
        return False


class CountingStore:
    """A store that has what a test puts there, and counts."""

    url = "test://"
    interval_s_min = 0.02
    interval_s_max = 0.1

    def __init__(self) -> None:
        self.found: dict[str, bytes] = {}
        self.looks: list[Sequence[str]] = []
        self.failure: Exception | None = None

    def look(self, task_ids: Sequence[str]) -> Mapping[str, bytes]:
        self.looks.append(list(task_ids))
        if self.failure is not None:
            raise self.failure
        return {task_id: self.found[task_id] for task_id in task_ids if task_id in self.found}

    def close(self) -> None:
        pass


def test_nobody_is_asked_while_nobody_waits() -> None:
    store = CountingStore()
    results = PolledResults(store, SystemClock())
    results.start()
    assert results.is_idle
    assert results.wait("a", timeout_s=0.5) == PENDING
    count = len(store.looks)
    gevent.sleep(0.15)
    assert count > 1
    assert len(store.looks) <= count + 1
    results.stop()


def test_one_question_serves_all_who_wait_and_they_are_asked_seldom() -> None:
    store = CountingStore()
    results = PolledResults(store, SystemClock())
    waiters = [gevent.spawn(results.wait, f"t{n % 50}", timeout_s=5) for n in range(200)]
    gevent.sleep(0.5)
    assert len(store.looks) < 20
    assert not results.is_idle
    store.found = {f"t{n}": b'{"status": "SUCCESS", "result": 1}' for n in range(50)}
    assert {waiter.get(timeout=5).state for waiter in waiters} == {TaskState.SUCCESS}
    assert results.is_idle
    results.stop()


def test_who_waits_is_served_while_others_keep_coming() -> None:
    store = CountingStore()
    results = PolledResults(store, SystemClock())
    waiter = gevent.spawn(results.wait, "old", timeout_s=5)
    results.outcome("first", timeout_s=5)
    store.found = {"old": b'{"status": "SUCCESS"}'}
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        results.outcome("new", timeout_s=5)
    assert waiter.ready()
    results.stop()


def test_who_waits_is_served_though_a_store_returns_nonsense() -> None:
    store = CountingStore()
    store.found = {"odd": cast(bytes, 7), "a": b'{"status": "SUCCESS"}'}
    results = PolledResults(store, SystemClock())
    with pytest.raises(BrokerUnavailable):
        results.outcome("odd", timeout_s=5)
    assert results.outcome("a", timeout_s=5).state is TaskState.SUCCESS
    results.stop()


def test_who_waits_is_served_when_the_store_is_back() -> None:
    store = CountingStore()
    store.failure = OSError("away")
    results = PolledResults(store, SystemClock())
    waiter = gevent.spawn(results.wait, "a", timeout_s=5)
    with pytest.raises(BrokerUnavailable, match="away"):
        results.outcome("b", timeout_s=5)
    with pytest.raises(BrokerUnavailable, match="away"):
        results.wait("b", timeout_s=0.05)
    store.failure = None
    store.found = {"a": b'{"status": "SUCCESS"}'}
    assert waiter.get(timeout=5).state is TaskState.SUCCESS
    results.stop()
