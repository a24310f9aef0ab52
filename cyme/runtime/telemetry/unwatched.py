"""Queues that nobody watches: for a branch that is not in service."""

from __future__ import annotations

from cyme.core.model import Broker
from cyme.core.vitals import QueueVitals
from cyme.errors import Unavailable

_WHY = "Queues are watched by a running branch. Start it, and ask it."


class Unwatched:
    """Knows of no queue."""

    def rows(self) -> tuple[QueueVitals, ...]:
        """Return nothing."""
        return ()

    known = rows

    def ask(
        self,
        broker: Broker,  # noqa: ARG002 - whatever is asked for
        app: str,  # noqa: ARG002
        queue: str,  # noqa: ARG002
        *,
        timeout_s: float,  # noqa: ARG002
    ) -> QueueVitals:
        """Refuse.

        Raises:
            Unavailable: Always.
        """
        raise Unavailable(_WHY)

    def purge(
        self,
        broker: Broker,  # noqa: ARG002 - whatever is to be purged
        queue: str,  # noqa: ARG002
        *,
        count_max: int,  # noqa: ARG002
        timeout_s: float,  # noqa: ARG002
    ) -> int:
        """Refuse.

        Raises:
            Unavailable: Always.
        """
        raise Unavailable(_WHY)


UNWATCHED = Unwatched()
