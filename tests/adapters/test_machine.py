"""What a machine lacks for a worker."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cyme.adapters.machine import LocalMachine
from cyme.core.ports import Machine

MACHINE: Machine = LocalMachine()


def executable(path: Path) -> str:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_lacks_nothing_where_the_interpreter_and_the_directory_are(tmp_path: Path) -> None:
    assert MACHINE.lacks(sys.executable, str(tmp_path)) == ""


def test_a_worker_without_a_directory_of_its_user_needs_none() -> None:
    assert MACHINE.lacks(sys.executable, None) == ""


def test_an_interpreter_may_be_a_link_to_one(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(executable(tmp_path / "real"))
    assert MACHINE.lacks(str(link), None) == ""


def test_names_the_interpreter_that_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "python")
    assert missing in MACHINE.lacks(missing, None)


def test_a_directory_is_no_interpreter(tmp_path: Path) -> None:
    assert "no interpreter" in MACHINE.lacks(str(tmp_path), None)


def test_names_the_interpreter_that_cannot_be_executed(tmp_path: Path) -> None:
    path = tmp_path / "python"
    path.write_text("")
    path.chmod(0o644)
    assert "may not be executed" in MACHINE.lacks(str(path), None)


def test_names_the_directory_that_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "shop")
    assert missing in MACHINE.lacks(sys.executable, missing)


def test_a_file_is_no_working_directory(tmp_path: Path) -> None:
    assert "no working directory" in MACHINE.lacks(sys.executable, executable(tmp_path / "shop"))


def test_names_the_directory_that_cannot_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    # Root may enter every directory, so the kernel's answer is stood in for.
    monkeypatch.setattr(
        os, "access", lambda path, mode: path != str(tmp_path) and access(path, mode)
    )
    assert "may not be entered" in MACHINE.lacks(sys.executable, str(tmp_path))
