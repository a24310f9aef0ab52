from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cyme.errors import DirectoryLocked, SettingsError
from cyme.programs.daemon import PidFile
from tests.programs.running import environment

NOBODY = 65534

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


def in_a_process(home: Path, script: str) -> str:
    """Run a script in a process of its own, which it may change for good."""
    done = subprocess.run(
        [sys.executable, "-c", f"import os, resource\nfrom cyme.programs import daemon\n{script}"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@needs_root
def test_it_becomes_another_user_for_good(home: Path) -> None:
    said = in_a_process(
        home,
        f"daemon.become({NOBODY}, None)\n"
        "print(os.getresuid(), os.getresgid(), os.environ['USER'], 0 in os.getgroups())\n"
        "try: daemon.become(0, 0)\n"
        "except Exception as exc: print(exc)\n",
    )
    first, second = said.splitlines()
    assert first == f"{(NOBODY,) * 3} {(NOBODY,) * 3} nobody False"
    assert "--uid/--gid: this process may not become 0:0" in second


@needs_root
def test_a_user_who_may_not_read_what_a_branch_runs_is_told_so(home: Path) -> None:
    closed, opened = home / "closed", home / "opened"
    home.chmod(0o755)
    for place, mode in ((closed, 0o700), (opened, 0o755)):
        place.mkdir()
        (place / "os.py").touch()
        place.chmod(mode)
    said = in_a_process(
        home,
        f"daemon.become({NOBODY}, None)\n"
        f"places = [{str(opened / 'os.py')!r}, {str(closed / 'os.py')!r}]\n"
        f"daemon.check_readable({NOBODY}, places[:1])\n"
        f"try: daemon.check_readable({NOBODY}, places)\n"
        "except Exception as exc: print(exc)\n",
    )
    assert f"--uid: the user {NOBODY} may not read {closed / 'os.py'}" in said


@needs_root
def test_a_user_without_an_entry_needs_a_group(home: Path) -> None:
    said = in_a_process(
        home,
        "try: daemon.become(54321, None)\n"
        "except Exception as exc: print(exc)\n"
        "daemon.become(54321, 54321)\n"
        "print(os.getresuid()[0], os.getgroups(), 'HOME' in os.environ)\n",
    )
    first, second = said.splitlines()
    assert "name its group with --gid" in first
    assert second == "54321 [] False"


def test_open_files_are_raised_as_far_as_is_sensible(home: Path) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    said = in_a_process(
        home,
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "print(daemon.raise_open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n",
    )
    assert said == f"{wanted} {wanted}"


def test_a_limit_that_is_high_enough_is_left_alone(home: Path) -> None:
    said = in_a_process(
        home,
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))\n"
        "print(daemon.raise_open_files())\n",
    )
    assert said == "128"


def test_a_pid_file_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    first, second = PidFile(path), PidFile(path)
    first.write()
    with pytest.raises(DirectoryLocked, match=str(os.getpid())):
        second.write()
    assert path.read_text() == f"{os.getpid()}\n"
    first.remove()
    second.write()
    second.remove()
    second.remove()
    assert not path.exists()


def test_a_pid_file_that_somebody_else_replaced_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    mine = PidFile(path)
    mine.write()
    path.unlink()
    path.write_text("1\n")
    mine.remove()
    assert path.read_text() == "1\n"


def test_a_pid_file_cannot_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "pid").symlink_to(tmp_path / "target")
    with pytest.raises(SettingsError, match="cannot be written"):
        PidFile(tmp_path / "pid").write()


def test_a_pid_file_that_cannot_hold_a_number_is_refused() -> None:
    with pytest.raises(SettingsError, match="/dev/null cannot be written"):
        PidFile(Path("/dev/null")).write()
