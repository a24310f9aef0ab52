"""Tidings of the instances in the supervisor's care, for whoever tells other branches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cyme.core.ports import Clock
from cyme.core.status import InstanceStatus
from cyme.runtime.charges import Care, Charge

#: What changes within one state (its reason, its processes) is told so often at most, in seconds.
SAME_STATE_PERIOD_S = 1.0

Listener = Callable[[str, InstanceStatus], None]


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told of an instance last, and when (monotonic seconds)."""

    care: Care
    status: InstanceStatus
    at: float


class Tidings:
    """Tells listeners how instances are, whenever that changes.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: list[Listener] = []
        self._told: dict[str, _Told] = {}

    def listen(self, listener: Listener) -> None:
        """Have ``listener`` called with every change, and with how all are at first.

        It is called between the steps of a pass, so it must neither wait nor raise.
        """
        self._listeners.append(listener)
        self._told.clear()

    def tell(self, charges: Iterable[Charge]) -> None:
        """Tell what changed of the instances that this branch runs, or is about to."""
        if not self._listeners:
            return
        before, self._told = self._told, {}
        now = self._clock.monotonic()
        for charge in charges:
            if charge.care is Care.GONE:
                continue
            status, told = charge.status(), before.get(charge.name)
            if told is not None and not _is_due(told, status, charge.care, now):
                self._told[charge.name] = told
                continue
            self._told[charge.name] = _Told(charge.care, status, now)
            for listener in self._listeners:
                listener(charge.name, status)


def _is_due(told: _Told, status: InstanceStatus, care: Care, now: float) -> bool:
    if care is not told.care or status.state is not told.status.state:
        return True
    return status != told.status and now - told.at >= SAME_STATE_PERIOD_S
