from __future__ import annotations

import pytest

from cyme.adapters.database import results
from cyme.errors import TooLarge

from .conftest import Open

T = 10.0
NOW = 1_800_000_000.0


def test_returns_what_was_kept_byte_for_byte(url: str, database: Open) -> None:
    store = database(url)
    payload = bytes(range(256)) * 5000
    store.keep_result("id", payload, NOW)
    assert store.fetch_result("id") == payload
    store.keep_result("id", b"", NOW)
    assert store.fetch_result("id") == b""
    store.close(T)
    assert database(url).fetch_result("id") == b""


@pytest.mark.parametrize("task_id", ["unknown", "", "x" * 500, "nö", "a\0b", "\ud800", "a b"])
def test_knows_nothing_of_other_ids(url: str, database: Open, task_id: str) -> None:
    assert database(url).fetch_result(task_id) is None


def test_prunes_what_has_expired(url: str, database: Open) -> None:
    store = database(url)
    store.keep_result("old", b"x", NOW - 1)
    store.keep_result("new", b"x", NOW + 1)
    assert store.prune_results(NOW) == 1
    assert store.fetch_result("old") is None
    assert store.fetch_result("new") == b"x"


def test_the_first_to_expire_make_room(
    url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS_MAX", 20)
    store = database(url)
    # The last by name is the first to expire; each is kept twice and counts once.
    for number in range(20):
        for _ in range(2):
            store.keep_result(f"t{number:02}", b"x", NOW - number)
    assert all(store.fetch_result(f"t{number:02}") for number in range(20))
    store.keep_result("t20", b"x", NOW + 1)
    kept = [number for number in range(21) if store.fetch_result(f"t{number:02}")]
    assert kept == [*range(17), 20]


def test_their_size_is_limited_too(
    sqlite_url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS_BYTES_MAX", 10_000)
    store = database(sqlite_url)
    for number in range(20):
        store.keep_result(f"t{number:02}", b"x" * 1000, NOW + number)
    kept = [number for number in range(20) if store.fetch_result(f"t{number:02}")]
    assert kept == list(range(20 - len(kept), 20))
    assert 8 <= len(kept) <= 10


def test_refuses_a_result_that_is_too_large(
    sqlite_url: str, database: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULT_BYTES_MAX", 10)
    store = database(sqlite_url)
    store.keep_result("fits", b"x" * 10, NOW)
    with pytest.raises(TooLarge):
        store.keep_result("large", b"x" * 11, NOW)
