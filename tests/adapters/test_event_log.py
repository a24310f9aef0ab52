from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cyme.adapters.event_log import FILE_BYTES_MAX, KEPT_MAX, LOG_FILE, FileEventLog
from cyme.core.events import Event
from cyme.errors import StorageFull, StorageUnavailable


def event(seq: int, reason: str = "it answers", **data: object) -> Event:
    return Event(
        seq=seq,
        at=1_800_000_000.5 + seq,
        kind="instance.started",
        reason=reason,
        app="shop",
        instance="w1",
        branch="b1",
        life=7,
        data=data,
    )


def test_what_was_written_is_there_at_the_next_start(tmp_path: Path) -> None:
    told = [event(1, state="running", was="starting", changed=["a", "b"]), event(2), event(3)]
    log = FileEventLog(tmp_path)
    assert log.load() == []
    log.append(told[:2])
    log.append(told[2:])
    assert FileEventLog(tmp_path).load() == told
    assert stat.S_IMODE((tmp_path / LOG_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "torn", [b'{"seq":3,"at":1', b"\xff\xfe\n\n{}\n[]\nnull", b'{"seq":"x"}\n']
)
def test_a_line_that_was_cut_off_costs_that_line_alone(tmp_path: Path, torn: bytes) -> None:
    FileEventLog(tmp_path).append([event(1), event(2)])
    with (tmp_path / LOG_FILE).open("ab") as file:
        file.write(torn)
    log = FileEventLog(tmp_path)
    assert log.load() == [event(1), event(2)]
    log.append([event(3)])
    log.append([event(4)])
    assert FileEventLog(tmp_path).load() == [event(1), event(2), event(3), event(4)]


def test_the_files_are_bounded_and_the_oldest_goes(tmp_path: Path) -> None:
    log = FileEventLog(tmp_path)
    batch = 200
    for first in range(1, 30_000, batch):
        log.append([event(seq, "x" * 300) for seq in range(first, first + batch)])
    files = sorted(tmp_path.iterdir())
    assert len(files) == KEPT_MAX + 1
    assert all(file.stat().st_size <= FILE_BYTES_MAX for file in files)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    seqs = [each.seq for each in FileEventLog(tmp_path).load()]
    assert seqs == list(range(seqs[0], 30_001))
    assert seqs[0] > 1


def test_a_full_disk_is_told_and_what_fits_later_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = FileEventLog(tmp_path)
    log.append([event(1)])
    write = os.write

    room = [20]

    def full(file: int, data: bytes) -> int:
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, bytes(data[: room.pop()]))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFull, match="No space left"):
        log.append([event(2), event(3)])
    monkeypatch.undo()
    log.append([event(2), event(3)])
    seqs = [each.seq for each in FileEventLog(tmp_path).load()]
    assert seqs == [1, 2, 3]


def test_a_file_that_is_none_is_told_and_neither_followed_nor_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / LOG_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageUnavailable):
        FileEventLog(tmp_path).append([event(1)])
    assert (tmp_path / "elsewhere").read_bytes() == b""
    (tmp_path / f"{LOG_FILE}.1").mkdir()
    assert FileEventLog(tmp_path).load() == []
