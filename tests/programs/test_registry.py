from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cyme.programs.registry import (
    Registration,
    RunningBranch,
    running,
    start_mark,
    state_dir,
)
from tests.programs.running import Program, environment

STATE = ("--state-dir", "state")


@pytest.fixture
def branch(tmp_path: Path) -> RunningBranch:
    pid = os.getpid()
    return RunningBranch(
        id="b1",
        url="http://127.0.0.1:8001",
        directory=str(tmp_path / "b1"),
        pid=pid,
        started=start_mark(pid),
        cluster="default",
    )


def test_a_branch_is_found_while_it_is_registered(tmp_path: Path, branch: RunningBranch) -> None:
    registration = Registration(tmp_path / "state", branch)
    assert running(tmp_path / "state") == []
    registration.write()
    assert running(tmp_path / "state") == [branch]
    assert branch.token_file == tmp_path / "b1" / "admin.token"
    registration.remove()
    registration.remove()
    assert running(tmp_path / "state") == []


def test_nobody_else_may_read_where_branches_are(tmp_path: Path, branch: RunningBranch) -> None:
    Registration(tmp_path / "state", branch).write()
    directory = tmp_path / "state" / "branches"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    (file,) = directory.iterdir()
    assert file.name == "b1.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_a_crash_left_behind_counts_for_nothing(tmp_path: Path, branch: RunningBranch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for stale in (
        replace(branch, id="dead", pid=ended.pid),
        replace(branch, id="dead-unmarked", pid=ended.pid, started=""),
        replace(branch, id="other", started="another boot:1"),
    ):
        Registration(tmp_path, stale).write()
    for name, text in {
        "no-json": "{",
        "no-map": "[]",
        "group": json.dumps({**_fields(branch), "pid": -1}),
        "no-pid": json.dumps({**_fields(branch), "pid": "1"}),
        "lacking": json.dumps({"id": "b1"}),
    }.items():
        (tmp_path / "branches" / f"{name}.json").write_text(text)
    assert running(tmp_path) == []


def test_a_process_without_a_known_start_counts_while_its_pid_does(
    tmp_path: Path, branch: RunningBranch
) -> None:
    unmarked = replace(branch, started="")
    Registration(tmp_path, unmarked).write()
    assert running(tmp_path) == [unmarked]


def test_branches_of_two_clusters_may_have_one_id(tmp_path: Path, branch: RunningBranch) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        other = replace(branch, pid=sleeper.pid, started=start_mark(sleeper.pid), cluster="other")
        first, second = Registration(tmp_path, other), Registration(tmp_path, branch)
        first.write()
        second.write()
        assert {each.cluster for each in running(tmp_path)} == {"default", "other"}
        second.remove()
        assert running(tmp_path) == [other]
    finally:
        sleeper.communicate(b"\n")


def test_a_branch_removes_no_file_that_is_another_s(tmp_path: Path, branch: RunningBranch) -> None:
    registration = Registration(tmp_path, branch)
    registration.write()
    successor = replace(branch, url="http://127.0.0.1:8002")
    Registration(tmp_path, successor).write()
    registration.remove()
    assert running(tmp_path) == [successor]


def test_the_state_directory_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_dir({"CYME_STATE_DIR": str(tmp_path), "XDG_STATE_HOME": "/x"}) == tmp_path
    assert state_dir({"XDG_STATE_HOME": "/x"}) == Path("/x/cyme")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_dir({"XDG_STATE_HOME": "relative"}) == tmp_path / ".local/state/cyme"


def test_a_branch_that_serves_is_registered_until_it_stops(home: Path, program: Program) -> None:
    program.start(*STATE, "-i", "b1")
    (found,) = running(home / "state")
    assert program.process is not None
    assert (found.id, found.pid) == ("b1", program.process.pid)
    assert found.url == f"http://127.0.0.1:{program.port}"
    assert found.token_file.is_file()
    program.process.send_signal(signal.SIGTERM)
    program.process.wait(30)
    assert running(home / "state") == []
    assert not list((home / "state" / "branches").iterdir())


def test_reading_the_registry_loads_nothing_heavy(home: Path) -> None:
    heavy = {"gevent", "peewee", "celery", "falcon", "msgspec", "click"}
    code = f"import sys, cyme.programs.registry; print({heavy!r} & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "set()"


def _fields(branch: RunningBranch) -> dict[str, object]:
    return {name: getattr(branch, name) for name in branch.__slots__}
