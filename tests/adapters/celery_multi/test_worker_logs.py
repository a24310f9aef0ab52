"""The files of a log, read piece by piece while they grow and are rotated."""

from __future__ import annotations

import os
import random
from datetime import datetime
from pathlib import Path

import pytest

from cyme.adapters.celery_multi.log_rotation import LogLimits, tend
from cyme.adapters.celery_multi.raw_output import open_output
from cyme.adapters.celery_multi.worker_logs import WorkerLogFiles, tail
from cyme.core.worker_logs import LINE_BYTES_MAX, PIECE_BYTES_MAX, LogPiece, LogPosition
from cyme.errors import InvalidRequest

NOON = datetime(2025, 11, 21, 12).timestamp()  # noqa: DTZ001 - Celery writes local times


class Log:
    """The log of one worker, and a reader of it."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "w1"
        self.place.mkdir()
        self.files = WorkerLogFiles(directory)

    @property
    def path(self) -> Path:
        return self.place / "worker.log"

    def write(self, data: bytes | str) -> None:
        with self.path.open("ab") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def rotate(self, kept: int = 5) -> None:
        tend(self.place, LogLimits(bytes_max=1, kept=kept))

    def begin(
        self, lines: int | None = None, since: float | None = None, *, whole: bool = False
    ) -> LogPiece:
        return self.files.begin("w1", lines=lines, since=since, whole=whole)

    def on(self, position: LogPosition | None, *, whole: bool = False) -> LogPiece:
        assert position is not None
        return self.files.read("w1", position, whole=whole)

    def all(self, lines: int | None = None, since: float | None = None) -> str:
        """Return what is read from a start to the end, piece by piece."""
        piece = self.begin(lines, since, whole=True)
        text = piece.text
        while piece.left_bytes:
            piece = self.on(piece.position, whole=True)
            text += piece.text
        return text.decode()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def stamped(second: float, text: str) -> str:
    moment = datetime.fromtimestamp(NOON + second)  # noqa: DTZ006 - Celery writes local times
    return f"[{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03}: INFO/Main] {text}\n"


# --- the last lines ------------------------------------------------------------------------------


def test_a_log_that_is_not_there_is_empty(log: Log) -> None:
    assert log.begin(100) == LogPiece(text=b"", position=None)
    assert not log.files.has_more("w1", None)
    log.write("a\n")
    assert log.files.has_more("w1", None)
    with pytest.raises(InvalidRequest):
        log.files.begin("..", lines=1, since=None, whole=True)


@pytest.mark.parametrize("lines", [0, 1, 2, 3, 4, 5, 6, 7, 100])
def test_shows_as_many_of_the_last_lines_as_asked_for_across_files(log: Log, lines: int) -> None:
    log.write("1\n2\n")
    log.rotate()
    log.write("3\n")
    log.rotate()
    log.rotate()
    log.write("4\n\n6")
    expected = ["1", "2", "3", "4", "", "6"][max(0, 6 - lines) :] if lines else []
    assert log.all(lines).splitlines() == expected


def test_follows_no_line_that_has_not_ended(log: Log) -> None:
    log.write("1\n2\n3")
    piece = log.begin(1)
    assert piece.text == b"2\n"
    log.write("3\n4\n5")
    piece = log.on(piece.position)
    assert piece.text == b"33\n4\n"
    assert log.on(piece.position).text == b""
    assert log.on(piece.position, whole=True).text == b"5\n"


def test_finds_the_last_lines_among_many_blocks(log: Log) -> None:
    log.write("".join(f"line {n} {'x' * (n % 300)}\n" for n in range(5_000)))
    shown = log.all(3_000).splitlines()
    assert len(shown) == 3_000
    assert shown[0].startswith("line 2000 ")
    assert shown[-1].startswith("line 4999 ")


# --- since a moment ------------------------------------------------------------------------------


def test_shows_the_lines_since_a_moment(log: Log) -> None:
    log.write("banner\n" + stamped(0, "a") + "Traceback\n" + stamped(1, "b"))
    log.rotate()
    log.write("  continued\n" + stamped(2, "c") + "more\n" + stamped(3, "d"))
    assert log.all(since=NOON - 5).startswith("[")
    assert [line[-1] for line in log.all(since=NOON + 0.5).splitlines()] == list("bdced")
    assert [line[-1] for line in log.all(since=NOON + 1.5).splitlines()] == list("ced")
    assert log.all(since=NOON + 4) == ""
    assert log.all(lines=1, since=NOON + 1.5).endswith("] d\n")
    assert len(log.all(lines=1, since=NOON + 1.5).splitlines()) == 1


@pytest.mark.parametrize("second", [0, 1, 777.5, 12_345, 19_999])
def test_finds_a_moment_in_a_large_log(log: Log, second: float) -> None:
    lines = [stamped(n, f"task {n}" + "\n  and more" * (n % 3)) for n in range(20_000)]
    log.write("".join(lines))
    first = next(n for n in range(20_000) if n >= second)
    assert log.all(since=NOON + second) == "".join(lines[first:])


def test_finds_a_moment_behind_a_stretch_that_tells_no_time(log: Log) -> None:
    long = "x" * 100_000 + "\n" + "frame\n" * 30_000
    log.write(stamped(0, "a") + long + stamped(5, "b") + long + stamped(9, "c"))
    assert log.all(since=NOON + 4) == (stamped(5, "b") + long + stamped(9, "c")).replace(
        "x" * 100_000, "x" * LINE_BYTES_MAX + " ... (cut here)"
    )
    assert log.all(since=NOON + 6) == stamped(9, "c")


def test_a_log_that_tells_no_times_is_shown_if_it_was_written_since(log: Log) -> None:
    log.write("a\nb\n")
    written = log.path.stat().st_mtime
    assert log.all(since=written - 10) == "a\nb\n"
    assert log.all(since=written + 10) == ""


def test_a_stamp_that_is_none_tells_no_time(log: Log) -> None:
    log.write("[2026-99-99 12:00:00,000: x\n" + stamped(1, "b"))
    assert log.all(since=NOON) == stamped(1, "b")


# --- what is shown -------------------------------------------------------------------------------


def test_shows_no_bytes_that_order_a_terminal_about(log: Log) -> None:
    log.write(b"\x1b[31mred\x1b[0m\ta\r\nb\xff\xc3\nna\xc3\xafve \xc2\x9b1m\xe2\x80\xa8\n")
    assert log.all() == (
        "\\x1b[31mred\\x1b[0m\ta\nb\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\n"
        "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve \\x9b1m\\u2028\n"
    )


def test_cuts_long_lines_and_goes_on_behind_them(log: Log) -> None:
    for size in (LINE_BYTES_MAX + 1, PIECE_BYTES_MAX, 3 * PIECE_BYTES_MAX + 5):
        log.write("a\n" + "x" * size + "\nb\n")
    cut = "x" * LINE_BYTES_MAX + " ... (cut here)"
    assert log.all().splitlines() == ["a", cut, "b"] * 3


def test_pieces_are_bounded(log: Log) -> None:
    log.write("line\n" * 100_000)
    piece = log.begin()
    assert 0 < piece.read_bytes <= PIECE_BYTES_MAX
    assert piece.left_bytes == 500_000 - piece.read_bytes


# --- rotation ------------------------------------------------------------------------------------


def test_a_reader_sees_every_line_once_whatever_is_rotated(log: Log) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    written = [f"line {n} {'x' * chance.randrange(2_000)}" for n in range(2_000)]
    seen = ""
    log.write("")
    position = log.begin().position
    rest = list(written)
    while rest:
        for _ in range(chance.randrange(40)):
            if rest:
                log.write(rest.pop(0) + "\n")
        if chance.random() < 0.5:
            log.rotate(kept=100)
        for _ in range(chance.randrange(3)):
            piece = log.on(position)
            assert not piece.lost, seed
            position, seen = piece.position, seen + piece.text.decode()
    while (piece := log.on(position)).text:
        position, seen = piece.position, seen + piece.text.decode()
    assert seen.splitlines() == written, seed


def test_a_line_without_an_end_ends_with_its_file(log: Log) -> None:
    log.write("a\nb")
    piece = log.begin(1)
    assert piece.text == b"a\n"
    log.rotate()
    log.write("c\n")
    assert log.on(piece.position).text == b"b\nc\n"


def test_tells_of_lines_that_were_rotated_away_unread(log: Log) -> None:
    log.write("1\n")
    position = log.begin().position
    for n in range(2, 8):
        log.rotate(kept=2)
        log.write(f"{n}\n")
    piece = log.on(position)
    assert piece.lost
    assert piece.text == b"5\n6\n7\n"
    assert not log.on(piece.position).lost


def test_another_file_of_the_same_inode_is_not_taken_for_the_one_that_was_read(log: Log) -> None:
    log.write("old old old\n")
    position = log.begin().position
    with log.path.open("r+b") as file:
        file.truncate()
    log.write("new\nnew\nnew\nnew\nnew\n")
    assert log.on(position).text == b"new\n" * 5


def test_a_reader_waits_while_the_files_are_gone(log: Log) -> None:
    log.write("1\n")
    position = log.begin().position
    log.path.unlink()
    assert log.on(position) == LogPiece(text=b"", position=position)
    log.write("2\n")
    assert log.on(position).text == b"2\n"


def test_only_a_large_log_is_rotated_and_only_so_many_are_kept(log: Log) -> None:
    tend(log.place, LogLimits(bytes_max=1))
    log.write("12")
    tend(log.place, LogLimits(bytes_max=2))
    tend(log.place, LogLimits(bytes_max=0))
    assert [each.name for each in log.place.iterdir()] == ["worker.log"]
    for _ in range(4):
        log.write("123")
        tend(log.place, LogLimits(bytes_max=2, kept=3))
    assert sorted(each.name for each in log.place.iterdir()) == [
        *("worker.log", "worker.log.1", "worker.log.2", "worker.log.3")
    ]
    log.write("123")
    tend(log.place, LogLimits(bytes_max=2, kept=1))
    assert sorted(each.name for each in log.place.iterdir()) == ["worker.log", "worker.log.1"]
    assert log.path.stat().st_mode & 0o777 == 0o600


# --- what a worker prints ------------------------------------------------------------------------


def test_what_a_worker_prints_is_added_to_its_log_once(log: Log) -> None:
    output = open_output(log.place)
    log.write("logged\n")
    os.write(output, b"printed\n")
    tend(log.place, LogLimits())
    tend(log.place, LogLimits())
    os.write(output, b"no end")
    assert tail(log.place, 9) == ("logged", "printed", "no end")
    tend(log.place, LogLimits())
    assert log.path.read_text() == "logged\nprinted\nno end\n"
    assert tail(log.place, 2) == ("printed", "no end")


def test_what_a_worker_printed_before_it_ended_outlives_its_successor(log: Log) -> None:
    os.write(open_output(log.place), b"last words\n")
    os.write(open_output(log.place), b"first words\n")
    assert tail(log.place, 9) == ("last words", "first words")


def test_a_worker_that_prints_and_prints_fills_no_disk(log: Log) -> None:
    output = open_output(log.place)
    os.write(output, b"flood\n" * 500_000)
    tend(log.place, LogLimits())
    assert (log.place / "worker.out").stat().st_size == 0
    assert log.path.stat().st_size <= 300_000
    os.write(output, b"after\n")
    tend(log.place, LogLimits())
    assert tail(log.place, 1) == ("after",)


def test_the_last_words_reach_back_into_the_file_before(log: Log) -> None:
    log.write("1\n2\n")
    log.rotate()
    log.write("3\n")
    assert tail(log.place, 2) == ("2", "3")


def test_a_log_that_cannot_be_tended_is_told_of(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    (log.place / "worker.out").mkdir()
    tend(log.place, LogLimits())
    assert "the log of w1 cannot be tended" in caplog.text
