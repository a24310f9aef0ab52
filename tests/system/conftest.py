"""Fixtures of the tests that run the real program."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.branches import Branch
from tests.system.target import Target, http_target

StartBranch = Callable[..., Branch]


@pytest.fixture
def room() -> Iterator[Path]:
    """Yield a directory with a short path, for sockets have little room for one."""
    path = Path(tempfile.mkdtemp(prefix="cyme-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start_branch(room: Path) -> Iterator[StartBranch]:
    """Yield a function that starts branches, which are gone with their workers afterwards."""
    branches: list[Branch] = []

    def start(*arguments: str, name: str = "branch1") -> Branch:
        branch = Branch(room / name, arguments, name)
        branches.append(branch)
        branch.start()
        return branch

    yield start
    for branch in branches:
        branch.clean_up()


@pytest.fixture
def target() -> Iterator[Target]:
    """Yield a real HTTP server that records what it is asked."""
    with http_target() as server:
        yield server
