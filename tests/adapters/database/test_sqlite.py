from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from cyme.adapters.database import Database, sqlite, writer
from cyme.core.model import App
from cyme.errors import (
    DatabaseUnusable,
    SettingsError,
    StorageFull,
    StorageUnavailable,
)
from tests.waiting import eventually

from .conftest import Open
from .samples import BRANCH, app

T = 10.0
BIG = "x" * 20_000


@pytest.fixture
def probes_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PROBE_PERIOD_S", 0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "cyme-test", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        pytest.skip(f"no file system can be mounted here: {exc}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_commit_is_on_the_disk_when_it_returns(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)

    def pragmas(session: object) -> list[object]:
        names = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        return [session.execute(f"PRAGMA {name}").fetchone()[0] for name in names]  # type: ignore[attr-defined]

    assert store._do(pragmas, T) == ["wal", 2, 1, 5000]


def test_the_files_are_their_owners_alone(
    sqlite_url: str, sqlite_path: Path, database: Open
) -> None:
    sqlite_path.touch(mode=0o666)
    sqlite_path.chmod(0o666)
    store = database(sqlite_url)
    store.write([app()], timeout_s=T)
    files = sorted(sqlite_path.parent.glob(sqlite_path.name + "*"))
    endings = [file.name.removeprefix(sqlite_path.name) for file in files]
    assert endings == ["", "-shm", "-wal", ".lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://relative/path",
        "sqlite:///",
        "sqlite:",
        "oracle://h/x",
        "cyme.sqlite",
        "sqlite://[",
    ],
)
def test_refuses_a_url_that_names_no_database(url: str, database: Open) -> None:
    with pytest.raises(SettingsError, match=r"sqlite:///|not a URL"):
        database(url)


@pytest.mark.parametrize("slashes", ["", "/"])
def test_takes_an_absolute_path_with_three_or_four_slashes(
    slashes: str, tmp_path: Path, database: Open
) -> None:
    database(f"sqlite://{slashes}{tmp_path}/with%20space.sqlite")
    assert (tmp_path / "with space.sqlite").exists()


def test_refuses_a_file_that_is_no_database(
    sqlite_url: str, sqlite_path: Path, database: Open
) -> None:
    sqlite_path.write_bytes(b"not a database " * 1000)
    before = sqlite_path.read_bytes()
    with pytest.raises(DatabaseUnusable, match="is damaged") as caught:
        database(sqlite_url)
    assert str(sqlite_path) in caught.value.detail
    assert sqlite_path.read_bytes() == before


def test_names_the_backups_of_a_damaged_database(
    sqlite_url: str, sqlite_path: Path, database: Open
) -> None:
    store = database(sqlite_url)
    store.write([app(f"a{n}") for n in range(500)], timeout_s=T)
    store.close(T)
    backup = sqlite_path.parent / "backups" / "cyme-schema1-20260101T000000000000Z.sqlite"
    backup.parent.mkdir()
    backup.touch()
    with sqlite_path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(8 * 4096))
    with pytest.raises(DatabaseUnusable, match="is damaged") as caught:
        database(sqlite_url)
    assert str(sqlite_path) in caught.value.detail
    assert str(backup) in caught.value.detail


@pytest.mark.parametrize(
    "place", ["{file}/cyme.sqlite", "/proc/cyme.sqlite", "{missing}/x", "{dir}"]
)
def test_says_so_where_it_cannot_write(place: str, tmp_path: Path, database: Open) -> None:
    file = tmp_path / "file"
    file.touch()
    path = place.format(file=file, missing=tmp_path / "missing", dir=tmp_path)
    with pytest.raises(DatabaseUnusable, match="cannot be written") as caught:
        database(f"sqlite://{path}")
    assert path in caught.value.detail


def test_a_full_database_refuses_writes_and_recovers_by_itself(
    sqlite_url: str, database: Open, probes_quickly: None
) -> None:
    store = database(sqlite_url)
    store.write([app("before")], timeout_s=T)
    pages = store._do(lambda s: s.execute("PRAGMA page_count").fetchone()[0], T)
    store._do(lambda s: s.execute(f"PRAGMA max_page_count = {pages}").fetchone(), T)
    with pytest.raises(StorageFull):
        store.write([app(f"a{n}", broker=f"amqp://h/{BIG}{n}") for n in range(9)], timeout_s=T)
    assert not store.healthy()
    assert store.load() == [app("before")], "reads are served, nothing is half written"
    store._do(lambda s: s.execute("PRAGMA max_page_count = 1000000").fetchone(), T)
    eventually(store.healthy)
    store.write([app("after", broker=f"amqp://h/{BIG}")], timeout_s=T)
    assert len(store.load()) == 2


def test_in_a_group_what_still_fits_is_written(sqlite_url: str, database: Open) -> None:
    store = database(sqlite_url)
    store.write([app("small")], timeout_s=T)
    pages = store._do(lambda s: s.execute("PRAGMA page_count").fetchone()[0], T)
    store._do(lambda s: s.execute(f"PRAGMA max_page_count = {pages}").fetchone(), T)
    big = gevent.spawn(store.write, [app("big", broker=f"amqp://h/{BIG}")], timeout_s=T)
    small = gevent.spawn(store.write, [app("small", version=2)], timeout_s=T)
    gevent.joinall([big, small])
    assert isinstance(big.exception, StorageFull)
    assert small.exception is None
    assert store.load() == [app("small", version=2)]


def test_a_full_disk_refuses_writes_and_recovers_by_itself(
    small_disk: Path, database: Open, probes_quickly: None
) -> None:
    store = database(f"sqlite://{small_disk}/cyme.sqlite")
    acknowledged: list[App] = []

    def fill() -> None:
        for number in range(200):
            record = app(f"a{number}", broker=f"amqp://h/{BIG}{number}")
            store.write([record], timeout_s=T)
            acknowledged.append(record)

    with pytest.raises(StorageFull, match="no room"):
        fill()
    assert acknowledged
    assert not store.healthy()
    assert store.load() == acknowledged
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    eventually(store.healthy)
    store.write([app("after", broker=f"amqp://h/{BIG}")], timeout_s=T)
    assert len(store.load()) == len(acknowledged) + 1
    store.close(T)
    assert len(database(f"sqlite://{small_disk}/cyme.sqlite").load()) == len(acknowledged) + 1


def test_does_not_open_on_a_read_only_disk(small_disk: Path, database: Open) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DatabaseUnusable, match="Read-only"):
        database(f"sqlite://{small_disk}/cyme.sqlite")


def test_waits_for_another_program_and_then_gives_up(
    sqlite_url: str,
    sqlite_path: Path,
    database: Open,
    probes_quickly: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    store = database(sqlite_url)
    shell = sqlite3.connect(sqlite_path, isolation_level=None)
    shell.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable, match="another program holds it"):
        store.write([app()], timeout_s=T)
    shell.execute("COMMIT")
    shell.close()
    eventually(store.healthy)
    store.write([app()], timeout_s=T)


@pytest.mark.parametrize("replaced", [False, True])
def test_does_not_write_to_a_file_that_nobody_can_find(
    sqlite_url: str, sqlite_path: Path, database: Open, replaced: bool
) -> None:
    store = database(sqlite_url)
    store.write([app("before")], timeout_s=T)
    sqlite_path.rename(sqlite_path.with_suffix(".moved"))
    if replaced:
        sqlite_path.touch()
    with pytest.raises(StorageUnavailable, match="was replaced" if replaced else "is gone"):
        store.write([app("lost")], timeout_s=T)
    assert not store.healthy()


def test_goes_on_when_the_file_is_put_back(
    sqlite_url: str, sqlite_path: Path, database: Open, probes_quickly: None
) -> None:
    store = database(sqlite_url)
    store.write([app("before")], timeout_s=T)
    moved = sqlite_path.with_suffix(".moved")
    sqlite_path.rename(moved)
    with pytest.raises(StorageUnavailable):
        store.write([app("lost")], timeout_s=T)
    moved.rename(sqlite_path)
    eventually(store.healthy)
    store.write([app("after")], timeout_s=T)
    assert {record.name for record in store.load()} == {"before", "after"}


def test_two_branches_live_in_one_process(tmp_path: Path, database: Open) -> None:
    one = database(f"sqlite://{tmp_path}/one.sqlite", branch_id="one")
    two = database(f"sqlite://{tmp_path}/two.sqlite", branch_id="two")
    one.write([app("one")], timeout_s=T)
    two.write([app("two")], timeout_s=T)
    assert one.load() == [app("one")]
    assert two.load() == [app("two")]


def test_may_be_opened_again_after_a_refusal(
    sqlite_url: str, sqlite_path: Path, tmp_path: Path
) -> None:
    sqlite_path.write_bytes(b"garbage " * 1000)
    store = Database(sqlite_url, branch_id=BRANCH, backup_dir=tmp_path)
    with pytest.raises(DatabaseUnusable):
        store.open()
    sqlite_path.unlink()
    store.open()
    store.write([app()], timeout_s=T)
    store.close(T)
