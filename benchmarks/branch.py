"""A branch to be measured: the real program in its own process and directory."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from benchmarks.failure import BenchmarkFailed
from benchmarks.load import Address
from benchmarks.machine import ROOT
from benchmarks.processes import end_marked, marked
from benchmarks.run import EMBEDDED, Run
from cyme.adapters.embedded_broker import EmbeddedBroker

HOST = "127.0.0.1"
APP = "bench"
BRANCH_ID = "bench"
CLUSTER = "bench"

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0
REQUEST_TIMEOUT_S = 60.0
POLL_S = 0.05
TAIL_LINES_MAX = 15


class Branch:
    """A running branch, and how to talk to it.

    Args:
        process: Its process.
        address: Where it serves HTTP.
        directory: Where its files are.
        broker: The URL of its broker; None for the embedded one.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        address: Address,
        directory: Path,
        broker: str | None,
    ) -> None:
        self.process = process
        self.address = address
        self._directory = directory
        self._broker = broker

    @property
    def broker_url(self) -> str:
        """The URL of the broker that its workers use.

        Raises:
            BenchmarkFailed: The embedded broker does not run.
        """
        if self._broker is not None:
            return self._broker
        service = _embedded_broker(self._directory).status().service
        if service is None:
            raise BenchmarkFailed("The branch runs without its embedded broker.")
        return service.broker.url

    def request(self, method: str, path: str) -> object:
        """Make one request and return the answer's JSON value.

        Raises:
            BenchmarkFailed: The branch refused it or did not answer.
        """
        connection = http.client.HTTPConnection(*self.address, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except OSError as exc:
            raise BenchmarkFailed(f"The branch does not answer {method} {path}: {exc}") from exc
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            text = body.decode(errors="replace")
            raise BenchmarkFailed(f"{method} {path} answered {response.status}: {text}")
        try:
            return json.loads(body) if body else None
        except ValueError as exc:
            raise BenchmarkFailed(f"{method} {path} answered no JSON: {body[:200]!r}") from exc

    def instance(self, name: str) -> dict[str, object]:
        """Return the representation of one instance."""
        value = self.request("GET", f"/{APP}/instances/{quote(name)}/")
        if not isinstance(value, dict):
            raise BenchmarkFailed(f"The instance {name} is shown as {value!r}.")
        return value

    def await_states(self, names: Sequence[str], state: str, timeout_s: float) -> None:
        """Wait until all the instances are in one state.

        Raises:
            BenchmarkFailed: They are not, in time.
        """
        deadline = time.monotonic() + timeout_s
        for name in names:
            while (shown := self.instance(name))["state"] != state:
                if time.monotonic() > deadline:
                    raise BenchmarkFailed(
                        f"{name} is {shown['state']} and not {state} after {timeout_s} s: "
                        f"{shown.get('reason')}"
                    )
                time.sleep(POLL_S)

    def await_no_workers(self, timeout_s: float) -> None:
        """Wait until no worker process of the branch is left.

        Raises:
            BenchmarkFailed: Some are, after that time.
        """
        deadline = time.monotonic() + timeout_s
        while left := marked(*_worker_mark(self._directory)):
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{len(left)} worker processes are left.")
            time.sleep(POLL_S)


@contextmanager
def running_branch(run: Run) -> Iterator[Branch]:
    """Run a branch; afterwards it, its workers and its embedded broker are gone.

    Args:
        run: Says where it keeps its files, on which broker, and with which options.

    Raises:
        BenchmarkFailed: It does not come up.
    """
    address = (HOST, _free_port())
    directory = run.directory
    environment = {name: value for name, value in os.environ.items() if name[:5] != "CYME_"}
    broker = None if run.broker == EMBEDDED else run.broker
    if broker is not None:
        environment["CYME_BROKER"] = broker
    command = [
        *(sys.executable, "-m", "cyme", f"{HOST}:{address[1]}", "-i", BRANCH_ID),
        *("-D", str(directory / "branch"), "--cluster", CLUSTER),
        *("--state-dir", str(directory / "state"), "--logfile", str(directory / "branch.log")),
        *run.branch_options,
    ]
    output = directory / "branch.out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    branch = Branch(process, address, directory, broker)
    try:
        _await_ready(branch, directory)
        yield branch
    finally:
        _end(process, directory)


def _await_ready(branch: Branch, directory: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if branch.process.poll() is not None:
            raise BenchmarkFailed(
                f"The branch ended with {branch.process.returncode}:\n{_tail(directory)}"
            )
        try:
            branch.request("GET", "/readyz")
        except BenchmarkFailed as exc:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{exc}\n{_tail(directory)}") from exc
            time.sleep(POLL_S)
        else:
            return


def _tail(directory: Path) -> str:
    lines: list[str] = []
    for name in ("branch.out", "branch.log"):
        with suppress(FileNotFoundError):
            lines += (directory / name).read_text(errors="replace").splitlines()[-TAIL_LINES_MAX:]
    return "\n".join(lines)


def _end(process: subprocess.Popen[bytes], directory: Path) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end_marked(*_worker_mark(directory))
    _embedded_broker(directory).stop(STOP_TIMEOUT_S)


def _worker_mark(directory: Path) -> tuple[str, str]:
    """Return what the environment of the branch's workers and their children says."""
    return "CYME_WORKER", f"{directory / 'branch'}/"


def _embedded_broker(directory: Path) -> EmbeddedBroker:
    return EmbeddedBroker(directory / "state", CLUSTER)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
