from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from tests.programs.running import RUN_TIMEOUT_S, Program, environment, run
from tests.waiting import eventually

WORKER_TIMEOUT_S = 60.0
STATE = ("--state-dir", "state")


class Terminal:
    """A terminal of 100 columns, and all that was written to it."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        os.set_blocking(self.ours, False)
        self._read = b""

    @property
    def text(self) -> str:
        with suppress(BlockingIOError, OSError):
            while piece := os.read(self.ours, 65536):
                self._read += piece
        return self._read.decode().replace("\r\n", "\n")

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    screen = Terminal()
    yield screen
    screen.close()


@pytest.fixture
def embedded(home: Path) -> Iterator[Path]:
    """Yield the home of programs whose embedded broker is stopped afterwards."""
    yield home
    run(home, "broker", "stop", *STATE)


def test_a_person_at_a_terminal_sees_what_happens_and_how_to_go_on(
    embedded: Path, terminal: Terminal
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "cyme", ":0", "-i", "branch1", "-D", "branch", *STATE],
        cwd=embedded,
        env=environment(embedded),
        stdin=terminal.theirs,
        stdout=terminal.theirs,
        stderr=terminal.theirs,
        start_new_session=True,
    )
    try:
        eventually(lambda: "Ctrl-C stops the branch" in terminal.text, RUN_TIMEOUT_S)
        status = run(embedded, "broker", "status", *STATE)
        assert status.returncode == 0
        assert "The embedded broker runs at redis://:********@127.0.0.1:" in status.stdout
        process.send_signal(signal.SIGINT)
        eventually(lambda: "... answering the last requests" in terminal.text, RUN_TIMEOUT_S)
        assert process.wait(RUN_TIMEOUT_S) == 0
    finally:
        process.kill()
        process.wait()
    shown = terminal.text
    steps = ("binding the address", "opening the database", "finding or starting the embedded")
    assert all(f"... {step}" in shown for step in steps)
    assert "branch 'branch1' is ready (process " in shown
    assert "embedded, started now" in shown
    assert "not for production" in shown
    assert "curl -X PUT http://127.0.0.1:" in shown
    assert "... stopping; its workers run on" in shown
    # What the banner says is not said a second time by the log.
    assert "is ready: HTTP" not in shown
    assert "Traceback" not in shown

    # The broker outlives its branch, and ends when it is told to.
    assert run(embedded, "broker", "status", *STATE).returncode == 0
    assert "is stopped" in run(embedded, "broker", "stop", *STATE).stdout
    assert run(embedded, "broker", "status", *STATE).returncode == 3


@pytest.mark.slow
def test_workers_stop_with_their_branch_where_that_is_wished(embedded: Path) -> None:
    program = Program(embedded)
    try:
        program.start("--stop-workers-at-exit", *STATE, broker="")
        assert ask(program, "PUT", "/foo/instances/one/")["name"] == "one"
        instance = eventually(lambda: is_running(program), WORKER_TIMEOUT_S)
        pids = instance["pids"]
        assert isinstance(pids, list)
        assert all(psutil.pid_exists(pid) for pid in pids)
        assert program.stop() == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)
    finally:
        program.clean_up()


def test_a_bug_ends_it_with_its_traceback_in_the_log_alone(home: Path) -> None:
    script = (
        "from gevent import monkey; monkey.patch_all()\n"
        "import sys\n"
        "from cyme.programs import serve, wiring\n"
        "from cyme.programs.command_line import run\n"
        "def break_down(*_): raise ZeroDivisionError('a bug')\n"
        "wiring.Wiring._open_tokens = break_down\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, ":0", "-D", "branch", "-f", "branch.log"],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "cyme-branch: a bug ended it (ZeroDivisionError); see the log\n"
    assert "ZeroDivisionError: a bug" in (home / "branch.log").read_text()


def is_running(program: Program) -> dict[str, object] | None:
    instance = ask(program, "GET", "/foo/instances/one/")
    return instance if instance["state"] == "running" else None


def ask(program: Program, method: str, path: str) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", program.port, timeout=RUN_TIMEOUT_S)
    try:
        connection.request(method, path)
        value = json.loads(connection.getresponse().read())
        assert isinstance(value, dict)
        return value
    finally:
        connection.close()
