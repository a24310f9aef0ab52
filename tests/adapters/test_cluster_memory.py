from __future__ import annotations

import resource
import stat
from pathlib import Path

import pytest

from cyme.adapters.cluster_memory import MEMORY_FILE, ClusterMemory
from cyme.errors import StorageFull, StorageUnavailable


def test_every_life_has_a_boot_of_its_own(tmp_path: Path) -> None:
    boots = [ClusterMemory(tmp_path).begin_life().boot for _ in range(3)]
    assert boots == [1, 2, 3]


def test_what_is_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    memory = ClusterMemory(tmp_path)
    memory.begin_life()
    memory.keep_endpoints(("tcp://a:1", "tcp://b:2"))
    memory.keep_drained(True)
    known = ClusterMemory(tmp_path).begin_life()
    assert known.endpoints == ("tcp://a:1", "tcp://b:2")
    assert known.drained
    assert known.boot == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"boot": "x"}', b"\xff"])
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MEMORY_FILE).write_bytes(content)
    known = ClusterMemory(tmp_path).begin_life()
    assert (known.boot, known.endpoints, known.drained) == (1, (), False)


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    ClusterMemory(tmp_path).begin_life()
    assert stat.S_IMODE((tmp_path / MEMORY_FILE).stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_written_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    memory = ClusterMemory(tmp_path)
    memory.begin_life()
    (tmp_path / "cluster.fresh").mkdir()
    with pytest.raises(StorageUnavailable, match=MEMORY_FILE):
        memory.keep_drained(True)
    assert not ClusterMemory(tmp_path)._read().drained


def test_a_disk_without_room_is_told_as_one(tmp_path: Path) -> None:
    memory = ClusterMemory(tmp_path)
    memory.begin_life()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StorageFull, match="File too large"):
            memory.keep_drained(True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not ClusterMemory(tmp_path)._read().drained
    assert not (tmp_path / "cluster.fresh").exists()
