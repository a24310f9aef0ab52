"""Real branches, started as a user starts them, and everything they leave behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import psutil

from tests.waiting import eventually

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0
REQUEST_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Reply:
    """An HTTP reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)

    def member(self, name: str) -> object:
        """Return a member of the JSON object that the body is."""
        value = self.json
        assert isinstance(value, dict), value
        return value[name]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Branch:
    """One ``cyme-branch`` process."""

    directory: Path
    arguments: tuple[str, ...] = ()
    name: str = "branch1"
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.directory.parent / f"{self.name}.log"

    @property
    def workers_directory(self) -> Path:
        return self.directory / "workers"

    @property
    def admin_token(self) -> str:
        return (self.directory / "admin.token").read_text().strip()

    @property
    def command(self) -> Sequence[str]:
        """The command line."""
        return [
            sys.executable,
            *("-m", "cyme", f"127.0.0.1:{self.port}"),
            *("-i", self.name),
            *("-D", str(self.directory)),
            *("--state-dir", str(self.directory.parent / "state")),
            *("--webhook-allow", "loopback"),
            *self.arguments,
        ]

    def start(self) -> None:
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process, and wait for nothing."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=clean_environment(self.directory.parent),
                start_new_session=True,
            )

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        eventually(self._is_ready, timeout_s)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def stop(self) -> int:
        """End it as an operator does; its workers stay."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """End it as the kernel does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)

    def clean_up(self) -> None:
        """End it and all that it started."""
        self.end()
        subprocess.run(
            [
                *(sys.executable, "-m", "cyme", "broker", "stop"),
                *("--state-dir", str(self.directory.parent / "state")),
                *self._cluster(),
            ],
            capture_output=True,
            check=False,
            timeout=STOP_TIMEOUT_S,
            env=clean_environment(self.directory.parent),
        )

    def _cluster(self) -> tuple[str, ...]:
        """Return the option that names its cluster, if it was given one: each has a broker."""
        if "--cluster" not in self.arguments:
            return ()
        at = self.arguments.index("--cluster")
        return self.arguments[at : at + 2]

    def end(self) -> None:
        """End it and its workers, be it paused or not; a broker that it shares stays."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.kill_workers()

    def kill_workers(self) -> None:
        """Kill every process of its workers."""
        for process in self.worker_processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def worker_processes(self, instance: str | None = None) -> list[psutil.Process]:
        """Return every living process that a worker of this branch is, or came from."""
        wanted = str(self.workers_directory.resolve() / (instance or ""))
        return [process for process in psutil.process_iter() if _mark(process).startswith(wanted)]

    # --- HTTP -----------------------------------------------------------------------------------

    def connection(self) -> HTTPConnection:
        """Return a connection to its API, which may be kept for many requests."""
        return HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        connection = self.connection()
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def get(self, path: str) -> object:
        reply = self.ask("GET", path)
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    def member(self, path: str, name: str) -> object:
        """Return a member of the JSON object that a GET returns."""
        value = self.get(path)
        assert isinstance(value, dict), value
        return value[name]

    def put(self, path: str, **parameters: object) -> Reply:
        """PUT a JSON body with the admin token, and see it accepted."""
        reply = self.ask(
            "PUT",
            path,
            body=json.dumps(parameters).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self.admin_token}",
            },
        )
        assert reply.status in {200, 201}, (path, reply.status, reply.body)
        return reply

    def post(self, path: str) -> Reply:
        """POST with the admin token."""
        return self.ask("POST", path, headers={"Authorization": f"Bearer {self.admin_token}"})

    # --- the cluster ----------------------------------------------------------------------------

    def states(self) -> dict[str, str]:
        """Return what every known branch is held to be, by id."""
        view = self.get("/cluster/")
        assert isinstance(view, dict)
        return {each["id"]: each["state"] for each in view["branches"]}

    def digest(self) -> object:
        """Return what sums up all that this branch knows."""
        return self.member("/cluster/", "digest")

    def owner(self, app: str, name: str) -> object:
        """Return the branch that owns an instance, as this one knows it."""
        return self.instance(app, name)["branch"]

    def die_with_workers(self) -> None:
        """End as a machine does whose power fails."""
        self.kill()
        self.kill_workers()

    def pause(self) -> None:
        """Stand still, as under SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def instance(self, app: str, name: str) -> dict[str, object]:
        value = self.get(f"/{app}/instances/{name}/")
        assert isinstance(value, dict)
        return value

    def running(self, app: str, name: str, timeout_s: float = 60.0) -> dict[str, object]:
        """Wait until an instance runs; return its representation."""

        def look() -> dict[str, object] | None:
            value = self.instance(app, name)
            return value if value["state"] == "running" else None

        try:
            value = eventually(look, timeout_s)
        except AssertionError:
            raise AssertionError((self.instance(app, name), self.log.read_text()[-4000:])) from None
        assert value is not None
        return value

    def main_pid(self, app: str, name: str) -> int:
        pids = self.instance(app, name)["pids"]
        assert isinstance(pids, list)
        assert pids, self.instance(app, name)
        pid = pids[0]
        assert isinstance(pid, int)
        return pid


def clean_environment(home: Path) -> dict[str, str]:
    """Return this process's environment without what would colour a branch."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CYME_", "CELERY_", "XDG_"))
    }
    return {**kept, "HOME": str(home), "NO_COLOR": "1"}


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped does not, nor one that is ending.

    A process that ends gives up its memory, and with it the environment that a worker is known by
    and its command line, some time before it is a zombie.
    """
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _mark(process: psutil.Process) -> str:
    try:
        return str(process.environ().get("CYME_WORKER", ""))
    except (psutil.Error, OSError):
        return ""
