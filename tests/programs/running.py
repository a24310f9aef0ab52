"""The real program, started as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path

from tests.system.branches import clean_environment, free_port
from tests.waiting import eventually

START_TIMEOUT_S = 30.0
RUN_TIMEOUT_S = 30.0

#: Nobody listens there, which a branch survives; so these tests need no broker.
NO_BROKER = "redis://127.0.0.1:1/0"


def environment(home: Path, variables: Mapping[str, str] | None = None) -> dict[str, str]:
    root = Path(__file__).parents[2]
    env = {**clean_environment(home), "PYTHONPATH": str(root), **(variables or {})}
    # As where a user runs it: the second start of a program finds its modules compiled.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    return env


def run(
    home: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cyme", *arguments],
        cwd=home,
        env=environment(home, variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )


def refused(process: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    """See a program end with a code and a message for people, and without a traceback."""
    assert process.returncode == exit_code, (process.returncode, process.stderr)
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr, process.stderr


class Program:
    """One running branch on a broker that is away.

    Args:
        home: Its home and working directory.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.directory = home / "branch"
        self.output = home / "output.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        wait: bool = True,
        broker: str = NO_BROKER,
        host: str = "",
    ) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cyme", f"{host}:{self.port}", "-D", "branch", *arguments],
                cwd=self.home,
                env=environment(self.home, {"CYME_BROKER": broker, **(variables or {})}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        if wait:
            eventually(self.answers, START_TIMEOUT_S)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.text
        try:
            return self.get("/ping/") == 200
        except OSError:
            return False

    def get(self, path: str, token: str = "") -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=RUN_TIMEOUT_S)
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def says(self, *words: str) -> bool:
        return all(word in self.text for word in words)

    @property
    def text(self) -> str:
        return self.output.read_text()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(RUN_TIMEOUT_S)

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(RUN_TIMEOUT_S)
