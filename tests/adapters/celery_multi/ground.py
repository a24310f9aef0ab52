"""Real workers in a directory, and what is needed to talk to them and to watch them."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

from cyme.adapters.celery_multi import CeleryMulti
from cyme.adapters.celery_multi.processes import Processes
from cyme.core.workers import Launch, Process
from tests.adapters.launches import launch
from tests.waiting import eventually

READY = "ready."


class Ground:
    """A directory of workers, and what is needed to talk to them."""

    def __init__(self, directory: Path, broker_url: str) -> None:
        self.directory = directory
        self.broker_url = broker_url
        self.ended: list[str] = []
        self.multi = self.branch()
        self.app = Celery(broker=broker_url, set_as_current=False)

    def branch(self) -> CeleryMulti:
        """Return what a branch that starts on the directory has."""
        return CeleryMulti(
            self.directory,
            environment={**os.environ, "CYME_BROKER": "secret", "NOTIFY_SOCKET": "/run/x"},
            on_exit=self.ended.append,
        )

    def start(self, wanted: Launch | None = None) -> tuple[str, Process]:
        wanted = wanted or launch(self.broker_url)
        process = self.multi.start(wanted)
        return wanted.instance, process

    def start_ready(self, wanted: Launch | None = None) -> tuple[str, Process]:
        instance, process = self.start(wanted)
        eventually(lambda: READY in self.log(instance), 30)
        return instance, process

    def log(self, instance: str) -> str:
        return "\n".join(self.multi.log_tail(instance, 1000))

    def send(self, instance: str, task: str, *args: object) -> None:
        self.app.send_task(task, args=args, queue=f"dq.{instance}")

    def place(self, instance: str) -> Path:
        return self.directory / instance

    def clear(self) -> None:
        self.app.close()
        processes = Processes()
        root = f"{self.directory.resolve()}/"
        processes.kill_all(
            lambda: processes.carrying("CYME_WORKER", lambda mark: mark.startswith(root))
        )


def is_alive(process: Process) -> bool:
    """Tell whether a process runs, and not another one of its number."""
    return Processes().is_alive(process)


def escaped_to(path: Path) -> Process:
    """Return the process whose pid is, or soon will be, in a file."""
    pid = int(eventually(lambda: path.read_text() if path.exists() else "", 20))
    process = Processes().identify(pid)
    assert process is not None
    return process
