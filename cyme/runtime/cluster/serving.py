"""Performing the calls of other branches, so many at a time."""

from __future__ import annotations

from collections.abc import Callable

from cyme.core.cluster.effects import Perform
from cyme.core.ports import Clock
from cyme.errors import Overloaded, Unavailable
from cyme.runtime.cluster.chores import Chores
from cyme.runtime.cluster.encoding import encode_error
from cyme.runtime.cluster.helpers import Performer
from cyme.runtime.cluster.seldom import Seldom

PERFORMING_MAX = 256

#: Told what a call came to: its id, whether that went well, and the value.
Answer = Callable[[str, bool, bytes], None]


class Serving:
    """Performs calls; while there is nobody who could, they are refused.

    Args:
        answer: Told what each call came to.
        clock: Time.
        seldom: Where faults are told.
    """

    def __init__(self, answer: Answer, clock: Clock, seldom: Seldom) -> None:
        self._answer = answer
        self._clock = clock
        self._perform: Performer | None = None
        self._performed = Chores(PERFORMING_MAX, seldom)
        # Of their own, so that who waits holds up no write.
        self._waiting = Chores(PERFORMING_MAX, seldom)

    def begin(self, perform: Performer) -> None:
        """Say who performs calls."""
        self._perform = perform

    def finish(self, timeout_s: float) -> None:
        """Refuse calls from now on, and give those under way so long to end."""
        self._perform = None
        self._performed.join(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """End the calls under way."""
        self._performed.stop(timeout_s)
        self._waiting.stop(timeout_s)

    def take(self, asked: Perform) -> None:
        """Begin to perform a call, or answer at once that there are too many."""
        waits = self._perform is not None and self._perform.waits(asked.method)
        chores = self._waiting if waits else self._performed
        if chores.full:
            busy = Overloaded("The branch performs too many calls already. Try again.")
            self._answer(asked.call, False, encode_error(busy))
        else:
            chores.run(self._serve, asked)

    def _serve(self, asked: Perform) -> None:
        ok, value = False, encode_error(Unavailable("The branch is starting or stopping."))
        if self._perform is not None:
            left_s = max(0.0, asked.deadline - self._clock.monotonic())
            ok, value = self._perform(asked.method, asked.arguments, timeout_s=left_s)
        self._answer(asked.call, ok, value)
