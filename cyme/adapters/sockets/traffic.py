"""What passed the sockets and what did not, counted, and told in the log at a bounded rate."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Counts since the start.

    Attributes:
        received: Messages handed on.
        sent: Messages taken by a socket.
        dropped: Messages that could not be sent: no connection, no room, too large.
        oversized: Messages thrown away because they had too many frames or bytes.
        denied: Connections that ended before the peer had shown the cluster's key.
        beacons_heard: Beacons of other branches of the cluster.
        beacons_refused: Beacons in the cluster's name that were not made with its secret.
    """

    received: int = 0
    sent: int = 0
    dropped: int = 0
    oversized: int = 0
    denied: int = 0
    beacons_heard: int = 0
    beacons_refused: int = 0


class Seldom:
    """Says when it is time to write a line that could be written too often.

    Args:
        period_s: At most one line in that time.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next_at = float("-inf")

    def due(self) -> bool:
        """Tell whether a line may be written now; if so, the next may not for a while."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self._period_s
        return True
