"""Children that are made without a copy of ourselves."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import gevent
import pytest

from cyme.adapters.celery_multi.child import Child, spawn
from tests.waiting import eventually

PRINT_ALL = """
import json, os, sys
print(json.dumps({
    "argv": sys.argv[1:],
    "cwd": os.getcwd(),
    "colour": os.environ.get("COLOUR"),
    "home": os.environ.get("HOME"),
    "leads": os.getsid(0) == os.getpid(),
    "files": sorted(int(fd) for fd in os.listdir("/dev/fd") if os.path.exists(f"/dev/fd/{fd}")),
}))
"""


def start(tmp_path: Path, code: str, *arguments: str, cwd: Path | None = None) -> Child:
    log_fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
    try:
        return spawn(
            [sys.executable, "-c", code, *arguments],
            env={"COLOUR": "red", "PATH": os.environ["PATH"]},
            cwd=str(cwd if cwd is not None else tmp_path),
            log_fd=log_fd,
        )
    finally:
        os.close(log_fd)


def test_a_child_gets_what_it_is_given_and_nothing_else(tmp_path: Path) -> None:
    handed_on, other_end = os.pipe()
    os.set_inheritable(handed_on, True)
    place = tmp_path / "it's $HOME; a *place"
    place.mkdir()
    try:
        child = start(tmp_path, PRINT_ALL, "$(id)", "a b", "'", "", "-x", cwd=place)
        assert child.wait(10) == 0
    finally:
        os.close(handed_on)
        os.close(other_end)
    told = json.loads((tmp_path / "log").read_text())
    files = told.pop("files")
    assert files[:3] == [0, 1, 2]
    assert handed_on not in files
    assert told == {
        "argv": ["$(id)", "a b", "'", "", "-x"],
        "cwd": str(place),
        "colour": "red",
        "home": None,
        "leads": True,
    }


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(3)", 3), ("", 0)])
def test_tells_how_a_child_ended(tmp_path: Path, code: str, status: int) -> None:
    assert start(tmp_path, code).wait(10) == status


def test_tells_by_which_signal_a_child_was_ended_and_calls_at_once(tmp_path: Path) -> None:
    child = start(tmp_path, "import time; time.sleep(60)")
    ends: list[int | None] = []
    child.when_ended(lambda: ends.append(child.exit_status))
    assert child.wait(0.01) is None
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: ends == [-signal.SIGKILL])
    assert child.wait(0) == -signal.SIGKILL


def test_many_children_at_once_are_all_reaped(tmp_path: Path) -> None:
    children = [start(tmp_path, f"raise SystemExit({n})") for n in range(10)]
    waits = [gevent.spawn(child.wait, 20) for child in children]
    gevent.joinall(waits, timeout=20)
    assert [wait.value for wait in waits] == list(range(10))


def test_a_place_that_is_not_there_is_an_exit_and_says_so(tmp_path: Path) -> None:
    child = start(tmp_path, "", cwd=tmp_path / "gone")
    assert child.wait(10) not in {0, None}
    assert "gone" in (tmp_path / "log").read_text()
