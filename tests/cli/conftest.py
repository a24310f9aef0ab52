"""The command in this process, against the real API of a branch over fakes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cyme.api.server import HttpServer
from cyme.cli.main import run
from tests.api.branch import BRANCH_ID, FakeBranch


@dataclass(frozen=True)
class Ran:
    """What a command printed and returned."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Cli:
    """Runs the command as its user would."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str, code: int | None = 0) -> Ran:
        """Run it and see the exit code; None takes any."""
        self._capfd.readouterr()
        returned = run(arguments)
        out, err = self._capfd.readouterr()
        ran = Ran(int(returned), out, err)
        assert code is None or ran.code == code, ran
        return ran


@pytest.fixture(autouse=True)
def _own_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what this machine's user has out of it."""
    for name in list(os.environ):
        if name.startswith(("CYME_", "XDG_")) and name != "CYME_TESTS_PATCHED":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CYME_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """The command."""
    return Cli(capfd)


@pytest.fixture
def branch() -> Iterator[FakeBranch]:
    """A branch over fakes."""
    branch = FakeBranch()
    # Instances with labels run only where these are.
    branch.members.change(BRANCH_ID, labels=(("disk", "ssd"), ("zone", "a")))
    yield branch
    branch.stop()


@pytest.fixture
def url(branch: FakeBranch, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the branch, which the command takes from its environment."""
    with served(branch.app) as url:
        monkeypatch.setenv("CYME_URL", url)
        yield url


class served:  # noqa: N801 - used as a function
    """Serves an app on a port of its own."""

    def __init__(self, app: object) -> None:
        self._server = HttpServer(app, ("127.0.0.1", 0))  # type: ignore[arg-type]

    def __enter__(self) -> str:
        self._server.start()
        return "http://{}:{}".format(*self._server.address[:2])

    def __exit__(self, *_: object) -> None:
        self._server.stop(1.0)


def soon(deed: object, delay_s: float) -> threading.Timer:
    """Have something done a moment later, as the world would."""
    timer = threading.Timer(delay_s, deed)  # type: ignore[arg-type]
    timer.daemon = True
    timer.start()
    return timer
