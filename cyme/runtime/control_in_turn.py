"""Remote control of one broker for many callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import gevent
from gevent.event import AsyncResult

from cyme.core.model import Broker, Queue
from cyme.core.ports import Control
from cyme.core.workers import Report
from cyme.errors import DeadlineExceeded

T = TypeVar("T")

Job = Callable[[Control], object]

#: A call's turn may take so long to come, in seconds, beside what the calls before it may take.
TURN_S = 2.0


class ControlInTurn:
    """A ``Control`` for many callers: each call is done in turn by the broker's greenlet.

    Args:
        broker: The broker.
        post: Has a job done in its turn; raises ``Overloaded`` where too many wait.
    """

    def __init__(self, broker: Broker, post: Callable[[Job], AsyncResult[object]]) -> None:
        self._broker = broker
        self._post = post

    def survey(
        self, nodes: Sequence[str], *, with_limits: bool, timeout_s: float
    ) -> Mapping[str, Report]:
        """As ``Control.survey``."""
        return self._in_turn(
            lambda control: control.survey(nodes, with_limits=with_limits, timeout_s=timeout_s),
            timeout_s,
        )

    def add_consumer(self, node: str, queue: Queue, *, timeout_s: float) -> None:
        """As ``Control.add_consumer``."""
        self._in_turn(
            lambda control: control.add_consumer(node, queue, timeout_s=timeout_s), timeout_s
        )

    def cancel_consumer(self, node: str, queue: str, *, timeout_s: float) -> None:
        """As ``Control.cancel_consumer``."""
        self._in_turn(
            lambda control: control.cancel_consumer(node, queue, timeout_s=timeout_s), timeout_s
        )

    def autoscale(self, node: str, minimum: int, maximum: int, *, timeout_s: float) -> None:
        """As ``Control.autoscale``."""
        self._in_turn(
            lambda control: control.autoscale(node, minimum, maximum, timeout_s=timeout_s),
            timeout_s,
        )

    def stats(self, node: str, *, timeout_s: float) -> Mapping[str, object]:
        """As ``Control.stats``."""
        return self._in_turn(lambda control: control.stats(node, timeout_s=timeout_s), timeout_s)

    def check_queue(self, queue: Queue, *, timeout_s: float) -> None:
        """As ``Control.check_queue``."""
        self._in_turn(lambda control: control.check_queue(queue, timeout_s=timeout_s), timeout_s)

    def close(self) -> None:
        """Do nothing: the connection is the watch's."""

    def _in_turn(self, call: Callable[[Control], T], timeout_s: float) -> T:
        is_wanted = True

        def call_if_wanted(control: Control) -> T:
            if not is_wanted:
                raise DeadlineExceeded("Nobody waits for this any more.")
            return call(control)

        result = self._post(call_if_wanted)
        # The call has a deadline of its own; the rest is for its turn to come.
        try:
            return cast(T, result.get(timeout=2 * timeout_s + TURN_S))
        except gevent.Timeout:
            raise DeadlineExceeded(
                f"The broker {self._broker.masked_url} is too busy to answer in time; "
                "try again, or allow more time."
            ) from None
        finally:
            is_wanted = False
