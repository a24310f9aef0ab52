"""A gateway that keeps the tasks that it is given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from cyme.core.model import Broker, Queue
from cyme.core.tasks import PENDING, Outcome, SendOptions, WebhookRequest
from cyme.errors import CymeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A task that a fake gateway was given."""

    task_id: str
    broker: Broker
    result_backend: str | None
    queue: Queue
    request: WebhookRequest
    options: SendOptions


class FakeTaskGateway:
    """The ``TaskGateway`` port: keeps what is sent, answers what a test says.

    Attributes:
        sent: Every task, in order.
        outcomes: What became of tasks, by id.
        failure: Raised by the next calls, until it is set to None again.
        stopped: Whether it was stopped.
    """

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.outcomes: dict[str, Outcome] = {}
        self.failure: CymeError | None = None
        self.stopped = False

    def start(self) -> None:
        """Do nothing: there is no connection to open."""

    def new_id(self) -> str:
        """Return a task id."""
        return str(uuid4())

    def send(
        self,
        task_id: str,
        *,
        broker: Broker,
        result_backend: str | None,
        queue: Queue,
        request: WebhookRequest,
        options: SendOptions,
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> None:
        """Keep the task."""
        self._raise_failure()
        self.sent.append(
            Sent(
                task_id=task_id,
                broker=broker,
                result_backend=result_backend,
                queue=queue,
                request=request,
                options=options,
            )
        )

    def outcome(
        self,
        task_id: str,
        *,
        broker: Broker,  # noqa: ARG002 - the port's signature
        result_backend: str | None,  # noqa: ARG002 - the port's signature
        timeout_s: float,  # noqa: ARG002 - the port's signature
    ) -> Outcome:
        """Return what the test said, else that the task is pending."""
        self._raise_failure()
        return self.outcomes.get(task_id, PENDING)

    def wait(
        self, task_id: str, *, broker: Broker, result_backend: str | None, timeout_s: float
    ) -> Outcome:
        """Return the outcome as it is: a fake task changes only when a test changes it."""
        return self.outcome(
            task_id, broker=broker, result_backend=result_backend, timeout_s=timeout_s
        )

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - the port's signature
        """Remember that it was stopped."""
        self.stopped = True

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure
