"""The demo shows what it promises, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.house.checkout import ROOT
from tests.waiting import eventually

DEMO = [sys.executable, str(ROOT / "bin" / "demo")]
DEMO_S = 100.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * DEMO_S)]


def test_shows_the_response_and_keeps_the_directory_that_it_is_given(tmp_path: Path) -> None:
    mine = tmp_path / "kept" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = subprocess.run(
        [*DEMO, "--once", "--keep", str(mine.parent)],
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status_code": 200' in done.stdout
    assert "George+Costanza" in done.stdout
    assert "\r" not in done.stdout
    assert mine.read_text() == "mine"
    assert (mine.parent / "branch1.log").stat().st_size > 0
    assert (mine.parent / "branch1" / "workers" / "worker1" / "worker.log").exists()
    assert _processes_of(tmp_path) == []


def test_ctrl_c_on_a_terminal_ends_everything_and_leaves_nothing(tmp_path: Path) -> None:
    in_temporary = {**os.environ, "TMPDIR": str(tmp_path)}
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    with _heeding_ctrl_c():
        demo = subprocess.Popen(DEMO, env=in_temporary, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = ""

    def goes_on() -> bool:
        nonlocal seen
        with suppress(OSError):  # there is nothing to read now
            seen += os.read(ours, 65536).decode(errors="replace")
        return "Ctrl-C here ends everything" in seen

    eventually(goes_on, DEMO_S)
    assert "/demo/instances/worker1/" in seen
    assert "\r" in seen
    demo.send_signal(signal.SIGINT)
    assert demo.wait(DEMO_S) == 0
    os.close(ours)
    assert list(tmp_path.iterdir()) == []
    assert _processes_of(tmp_path) == []


@contextmanager
def _heeding_ctrl_c() -> Iterator[None]:
    """Let what is started end by Ctrl-C, also where a shell runs the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _processes_of(directory: Path) -> list[psutil.Process]:
    """Return the processes whose command line names the directory."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(directory) in word for word in process.info["cmdline"] or ())
    ]
