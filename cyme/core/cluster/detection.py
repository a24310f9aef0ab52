"""When silence becomes an accusation.

A branch expects a beat every second of those that it listens to. Whoever is silent for
``SILENCE_S`` is pinged, directly and through three others; whoever is silent ``PROBE_S`` more is
accused, and so on until it is heard. The silence grows with the awareness of being slow oneself.

Laws:

* After a stall nobody is accused before it could be heard again.
* Where most are silent at once the fault is more likely here, so patience grows first, once.
* Whoever hears all others becomes as impatient again as the healthy are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cyme.core.cluster.awareness import Awareness
from cyme.core.model import BranchId

SILENCE_S = 3.0
PROBE_S = 2.0

#: If more than this fraction of those listened to are silent, this branch doubts itself.
DOUBT_FRACTION = 0.6

#: What doubt adds to the awareness.
_DOUBT = 2

#: So long a branch hears all others before it holds itself to be one step healthier, in seconds.
RECOVERY_S = 10.0


@dataclass(slots=True)
class _Watch:
    """One branch that is listened to.

    Attributes:
        heard_at: When it was heard last.
        probe_ends: When its probe ends, None if there is none.
    """

    heard_at: float
    probe_ends: float | None = None


class Detection:
    """Watches over those that a branch listens to.

    Args:
        awareness: The health of this branch.
    """

    def __init__(self, awareness: Awareness) -> None:
        self._awareness = awareness
        self._watches: dict[BranchId, _Watch] = {}
        self._doubts = False
        self._well_since = float("-inf")

    def watch(self, now: float, branches: Collection[BranchId]) -> None:
        """Watch these branches and no others; a new one counts as heard now."""
        for gone in self._watches.keys() - set(branches):
            del self._watches[gone]
        for branch in branches:
            if branch not in self._watches:
                self._watches[branch] = _Watch(now)

    def heard(self, now: float, branch: BranchId) -> None:
        """Take note that a branch was heard, be it by the answer to a ping."""
        watch = self._watches.get(branch)
        if watch is None:
            return
        if watch.probe_ends is not None:
            self._awareness.better()
        watch.heard_at, watch.probe_ends = now, None

    def forgive(self, now: float) -> None:
        """Take note that nobody could be heard until now."""
        self._well_since = now
        for watch in self._watches.values():
            watch.heard_at, watch.probe_ends = now, None

    @property
    def due_at(self) -> float:
        """When somebody will have been silent for long enough to be looked at."""
        heard = min((watch.heard_at for watch in self._watches.values()), default=float("inf"))
        return heard + SILENCE_S

    def due(self, now: float) -> tuple[list[BranchId], list[BranchId]]:
        """Return whom to probe, and whom to accuse, each sorted."""
        silent = [id_ for id_, each in self._watches.items() if now - each.heard_at > SILENCE_S]
        self._recover(now, len(silent))
        if self._begins_to_doubt(len(silent)):
            return [], []
        patience_s = SILENCE_S * self._awareness.factor
        probed, accused = [], []
        for branch in sorted(silent):
            watch = self._watches[branch]
            if now - watch.heard_at <= patience_s:
                continue
            if watch.probe_ends is None or now >= watch.probe_ends:
                probed.append(branch)
                if watch.probe_ends is not None:
                    accused.append(branch)
                watch.probe_ends = now + PROBE_S
        return probed, accused

    def _recover(self, now: float, silent: int) -> None:
        if silent:
            self._well_since = now
        elif now >= self._well_since + RECOVERY_S:
            self._well_since = now
            self._awareness.better()

    def _begins_to_doubt(self, silent: int) -> bool:
        most = len(self._watches) > 1 and silent > DOUBT_FRACTION * len(self._watches)
        begins = most and not self._doubts
        self._doubts = most
        if begins:
            self._awareness.worse(_DOUBT)
        return begins
