"""What tests of the gateway stand on: a gateway, a fake store of results, real workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery

from cyme.adapters.clock import SystemClock
from cyme.adapters.task_gateway import CeleryTaskGateway
from cyme.core.model import AppName, Broker, Queue, QueueName, Stamp
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.errors import StorageUnavailable
from tests.waiting import eventually

CHECKOUT = Path(__file__).parents[3]
SEND_S = 5.0


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid4().hex[:8]}"


def queue(name: str, **parameters: Any) -> Queue:
    if isinstance(parameters.get("options"), dict):
        parameters["options"] = json.dumps(parameters["options"])
    return Queue(app=AppName("app"), name=QueueName(name), stamp=Stamp(0, 0, ""), **parameters)


class Kept(dict[str, bytes]):
    """A store of results in memory, which fails as often as a test says."""

    failures = 0
    prunings = 0

    def keep_result(self, task_id: str, payload: bytes, expires_at: float) -> None:
        self._fail()
        self[task_id] = payload

    def fetch_result(self, task_id: str) -> bytes | None:
        return self.get(task_id)

    def prune_results(self, now: float) -> int:
        self._fail()
        self.prunings += 1
        return 0

    def _fail(self) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise StorageUnavailable("the disk is away")


class Gateway:
    """A gateway with what its calls need every time."""

    def __init__(self, url: str, kept: Kept | None = None, branch: str | None = None) -> None:
        self.broker = Broker(url)
        self.result_backend = url if url.startswith("redis") else None
        self.kept = Kept() if kept is None else kept
        self.branch = branch or unique("branch")
        self.gateway = CeleryTaskGateway(self.branch, self.kept, SystemClock())
        self.gateway.start()

    def send(
        self,
        to: Queue,
        url: str = "http://127.0.0.1:1/",
        method: str = "GET",
        *,
        options: SendOptions | None = None,
        timeout_s: float = SEND_S,
        **request: Any,
    ) -> str:
        task_id = self.gateway.new_id()
        self.gateway.send(
            task_id,
            broker=self.broker,
            result_backend=self.result_backend,
            queue=to,
            request=WebhookRequest(method=method, url=url, **request),
            options=options or SendOptions(),
            timeout_s=timeout_s,
        )
        return task_id

    def outcome(self, task_id: str, timeout_s: float = 5.0) -> Outcome:
        return self.gateway.outcome(
            task_id,
            broker=self.broker,
            result_backend=self.result_backend,
            timeout_s=timeout_s,
        )

    def wait(self, task_id: str, timeout_s: float = 15.0) -> Outcome:
        return self.gateway.wait(
            task_id,
            broker=self.broker,
            result_backend=self.result_backend,
            timeout_s=timeout_s,
        )

    def stop(self) -> None:
        self.gateway.stop(5.0)


class Worker:
    """A real worker in a process of its own.

    Args:
        url: Its broker.
        directory: Where its log goes.
        queues: What it consumes from: by name, or by declaration what a name cannot say.
        app: The Celery application.
        pool: The pool.
        include: Modules that it loads besides.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        queues: Sequence[Queue],
        *,
        app: str = "cyme.tasks",
        pool: str = "threads",
        include: str | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        plain = [found.name for found in queues if found.is_plain]
        self.name = unique("w")
        self.log = directory / f"{self.name}.log"
        command = [
            *(sys.executable, "-m", "celery", "-A", app, "worker", "-P", pool, "-l", "INFO"),
            *("-n", f"{self.name}@test", "-Q", ",".join(plain or [unique("none")])),
            *("--without-mingle", "--without-gossip", "--without-heartbeat"),
            *(() if pool == "solo" else ("--concurrency", "4")),
            *(() if include is None else ("--include", include)),
        ]
        given = {
            "CELERY_BROKER_URL": url,
            "CELERY_RESULT_BACKEND": url if url.startswith("redis") else "rpc://",
            "CYME_WEBHOOK_ALLOW": "loopback",
            "CYME_QUEUES": json.dumps([declared(found) for found in queues if not found.is_plain]),
            "PYTHONPATH": str(CHECKOUT),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, **given, **(env or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self) -> Worker:
        eventually(lambda: " ready." in self.log.read_text(), 30)
        return self

    def stop(self) -> None:
        """End it with its children at once: an idle worker may notice only later that it should."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def declared(found: Queue) -> dict[str, object]:
    """Return a declaration as a branch hands it to its workers."""
    return {
        "name": found.name,
        "exchange": found.exchange,
        "exchange_type": found.exchange_type,
        "routing_key": found.routing_key,
        "options": json.loads(found.options) if found.options else None,
    }


@contextmanager
def running(worker: Worker) -> Iterator[Worker]:
    try:
        yield worker.ready()
    finally:
        worker.stop()


def celery_app(url: str) -> celery.Celery:
    """Return an application of somebody else who uses the same broker."""
    return celery.Celery(broker=url, set_as_current=False)
