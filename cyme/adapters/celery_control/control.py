"""Remote control of Celery workers: ``cyme.core.ports.Control``.

Laws:

* one connection a control, one call at a time, no pool: calls that share a pool of connections
  can wait for each other for ever;
* silence of the workers is told from silence of the broker: with every question goes an echo to
  ourselves, and a broker that does not bring it back in time is not there;
* whatever fails costs the connection, so that the next call begins anew; nothing on the way out
  of a failed call waits for a broker that may never answer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from cyme.adapters.broker_calls import (
    DROP_S,
    Calls,
    connection_to,
    declaration_of,
    declare,
    declared,
    leave,
    open_channel,
)
from cyme.adapters.celery_control.line import Line, Question
from cyme.core.model import Broker, Queue
from cyme.core.workers import Report
from cyme.errors import BrokerRefused, DeadlineExceeded

PATIENCE_S = 2.0
#: What an orderly leave may take; Redis answers to the latest wait within a second.
CLOSE_TIMEOUT_S = 1.5


class CeleryControls:
    """Makes the controls of a branch.

    Args:
        branch_id: The branch's name, by which the broker's operators can tell its connections.
        patience_s: A broker is given at least so long to bring back an echo, however short a
            call's time is: a machine that is busy with starting workers is late itself, and its
            broker is not away.
    """

    def __init__(self, branch_id: str, *, patience_s: float = PATIENCE_S) -> None:
        self._branch_id = branch_id
        self._patience_s = patience_s

    def control(self, broker: Broker) -> CeleryControl:
        """Return a new control of the broker; it connects at its first call."""
        return CeleryControl(broker, f"cyme-{self._branch_id}", self._patience_s)


class CeleryControl:
    """Remote control of the workers on one broker; calls are made one after the other.

    Args:
        broker: The broker.
        name: What the connection is called on the broker.
        patience_s: As for ``CeleryControls``.
    """

    def __init__(self, broker: Broker, name: str, patience_s: float = PATIENCE_S) -> None:
        self._broker = broker
        self._name = name
        self._patience_s = patience_s
        self._calls = Calls(broker, lambda: self._drop(DROP_S), patience_s)
        self._line: Line | None = None

    def survey(
        self, nodes: Sequence[str], *, with_limits: bool, timeout_s: float
    ) -> Mapping[str, Report]:
        """Ask all the nodes in one broadcast; return what those say that answered in time.

        With no nodes nothing is broadcast: it only makes sure that the broker answers.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            DeadlineExceeded: Earlier calls took all the time.
        """
        asked = frozenset(nodes)
        queues = Question("active_queues", {}, asked)
        stats = Question("stats", {}, asked)
        self._ask([queues, stats] if with_limits else [queues], timeout_s)
        return {
            node: Report(
                queues=_queue_names(answer),
                limits=_limits(stats.answers.get(node)),
                slots=_slots(stats.answers.get(node)),
            )
            for node, answer in queues.answers.items()
        }

    def add_consumer(self, node: str, queue: Queue, *, timeout_s: float) -> None:
        """Tell a worker to consume from a queue, declaring it.

        Raises:
            BrokerUnavailable: The broker cannot be reached, or hangs.
            BrokerRefused: The worker refused; the message is its own.
            DeadlineExceeded: The worker did not answer.
        """
        self._tell(node, "add_consumer", {**declared(queue), "queue": queue.name}, timeout_s)

    def cancel_consumer(self, node: str, queue: str, *, timeout_s: float) -> None:
        """Tell a worker to stop consuming from a queue; raises as ``add_consumer``."""
        self._tell(node, "cancel_consumer", {"queue": queue}, timeout_s)

    def autoscale(self, node: str, minimum: int, maximum: int, *, timeout_s: float) -> None:
        """Set a worker's concurrency limits; raises as ``add_consumer``."""
        self._tell(node, "autoscale", {"max": maximum, "min": minimum}, timeout_s)

    def stats(self, node: str, *, timeout_s: float) -> Mapping[str, object]:
        """Return what ``celery inspect stats`` says of a worker; raises as ``add_consumer``."""
        answer = self._tell(node, "stats", {}, timeout_s)
        return answer if isinstance(answer, dict) else {}

    def check_queue(self, queue: Queue, *, timeout_s: float) -> None:
        """Declare the queue on the broker, so that a bad declaration harms no worker.

        A connection of its own is used, as brokers answer some declarations by closing it.

        Raises:
            BrokerRefused: The broker refuses the declaration; the message says why.
            BrokerUnavailable: The broker cannot be reached, or hangs.
        """

        def check(_: float) -> None:
            connection = connection_to(self._broker, self._name)
            try:
                declare(declaration_of(queue), open_channel(connection))
            finally:
                leave(connection, DROP_S)

        self._calls.make(check, timeout_s)

    def close(self) -> None:
        """Close the connection; a later call opens a new one."""
        self._drop(CLOSE_TIMEOUT_S)

    def _drop(self, timeout_s: float) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close(timeout_s)

    # --- one call -------------------------------------------------------------------------------

    def _tell(
        self, node: str, command: str, arguments: Mapping[str, object], timeout_s: float
    ) -> object:
        """Return what a worker answers to a command."""
        question = Question(command, arguments, frozenset({node}))
        self._ask([question], timeout_s)
        if node not in question.answers:
            raise DeadlineExceeded(
                f"The worker {node} did not answer to {command} within {timeout_s:g} s; "
                "it may be busy, paused or gone. Try again."
            )
        answer = question.answers[node]
        if isinstance(answer, dict) and "error" in answer:
            raise BrokerRefused(f"The worker {node} refused {command}: {answer['error']}")
        return answer

    def _ask(self, questions: Sequence[Question], timeout_s: float) -> None:
        """Put questions to workers and collect the answers that come in time."""

        def ask(deadline: float) -> None:
            if self._line is None:
                self._line = Line(connection_to(self._broker, self._name))
                self._line.open()
            patience_end = max(deadline, time.monotonic() + self._patience_s)
            self._line.ask(questions, deadline, patience_end)

        self._calls.make(ask, timeout_s)


def _queue_names(answer: object) -> frozenset[str]:
    """Return the names in an answer to ``active_queues``; an error names none."""
    queues = answer if isinstance(answer, list) else []
    return frozenset(str(queue["name"]) for queue in queues if "name" in queue)


def _limits(answer: object) -> tuple[int, int] | None:
    """Return the (minimum, maximum) in an answer to ``stats``, None if it has no autoscaler."""
    match answer:
        case {"autoscaler": {"min": int(minimum), "max": int(maximum)}}:
            return minimum, maximum
    return None


def _slots(answer: object) -> int | None:
    """Return how many tasks at a time an answer to ``stats`` tells of, None if it does not."""
    match answer:
        case {"pool": {"max-concurrency": int(slots)}} if slots > 0:
            return slots
    return None
