"""Branches to be measured: the real program, each in its own process and directory."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
        id: Its id.
        process: Its process.
        address: Where it serves HTTP.
        directory: Where its files are, and those of the branches of its cluster.
        broker: The URL of its broker; None for the embedded one.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what it is called everywhere
        process: subprocess.Popen[bytes],
        address: Address,
        directory: Path,
        broker: str | None,
    ) -> None:
        self.id = id
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

    def await_known(self, path: str, timeout_s: float) -> None:
        """Wait until a path can be read.

        Raises:
            BenchmarkFailed: It cannot, in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self.request("GET", path)
            except BenchmarkFailed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
            else:
                return

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
        while left := marked(*_worker_mark(self._directory, self.id)):
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
    with running_branches(run, (BRANCH_ID,)) as (branch,):
        yield branch


@contextmanager
def running_branches(run: Run, ids: Sequence[str]) -> Iterator[tuple[Branch, ...]]:
    """Run the branches of a cluster, until all know each other; afterwards they are gone.

    Args:
        run: As for ``running_branch``.
        ids: Their ids; each is the name of its directory, too.

    Raises:
        BenchmarkFailed: One does not come up, or they do not meet.
    """
    try:
        with ExitStack() as ends:
            branches = tuple(ends.enter_context(_started(run, each)) for each in ids)
            for branch in branches:
                _await_ready(branch, run.directory)
            _await_met(branches)
            yield branches
    finally:
        _embedded_broker(run.directory).stop(STOP_TIMEOUT_S)


@contextmanager
def _started(run: Run, id_: str) -> Iterator[Branch]:
    """Start the process of a branch; it and its workers are gone afterwards."""
    address = (HOST, _free_port())
    directory = run.directory
    environment = {name: value for name, value in os.environ.items() if name[:5] != "CYME_"}
    broker = None if run.broker == EMBEDDED else run.broker
    if broker is not None:
        environment["CYME_BROKER"] = broker
    command = [
        *(sys.executable, "-m", "cyme", f"{HOST}:{address[1]}", "-i", id_),
        *("-D", str(directory / id_), "--cluster", CLUSTER),
        *("--state-dir", str(directory / "state"), "--logfile", str(_log(directory, id_))),
        *run.branch_options,
    ]
    with _output(directory, id_).open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield Branch(id_, process, address, directory, broker)
    finally:
        _end(process, directory, id_)


def _await_ready(branch: Branch, directory: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if branch.process.poll() is not None:
            raise BenchmarkFailed(
                f"The branch ended with {branch.process.returncode}:\n{_tail(directory, branch.id)}"
            )
        try:
            branch.request("GET", "/readyz")
        except BenchmarkFailed as exc:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{exc}\n{_tail(directory, branch.id)}") from exc
            time.sleep(POLL_S)
        else:
            return


def _await_met(branches: Sequence[Branch]) -> None:
    """Wait until each branch knows all of them."""
    ids = sorted(branch.id for branch in branches)
    deadline = time.monotonic() + START_TIMEOUT_S
    for branch in branches:
        while branch.request("GET", "/branches/") != ids:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"The branch {branch.id} has not met all others.")
            time.sleep(POLL_S)


def _tail(directory: Path, id_: str) -> str:
    lines: list[str] = []
    for path in (_output(directory, id_), _log(directory, id_)):
        with suppress(FileNotFoundError):
            lines += path.read_text(errors="replace").splitlines()[-TAIL_LINES_MAX:]
    return "\n".join(lines)


def _output(directory: Path, id_: str) -> Path:
    return directory / f"{id_}.out"


def _log(directory: Path, id_: str) -> Path:
    return directory / f"{id_}.log"


def _end(process: subprocess.Popen[bytes], directory: Path, id_: str) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end_marked(*_worker_mark(directory, id_))


def _worker_mark(directory: Path, id_: str) -> tuple[str, str]:
    """Return what the environment of the branch's workers and their children says."""
    return "CYME_WORKER", f"{directory / id_}/"


def _embedded_broker(directory: Path) -> EmbeddedBroker:
    return EmbeddedBroker(directory / "state", CLUSTER)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])
