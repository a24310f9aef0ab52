"""Fixtures of the tests that run programs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.running import Program


@pytest.fixture
def home() -> Iterator[Path]:
    """Yield a directory with a short path, for sockets have little room for one."""
    path = Path(tempfile.mkdtemp(prefix="cyme-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def program(home: Path) -> Iterator[Program]:
    """Yield a branch that is not started yet, and end it afterwards."""
    branch = Program(home)
    yield branch
    branch.clean_up()
