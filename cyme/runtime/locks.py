"""Locks by name, shared or exclusive, each with a deadline.

Writers of different records do not wait for each other, so that the store can group their
commits; writers of one record do, so that none of their changes is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cyme.core.ports import Clock
from cyme.errors import DeadlineExceeded, Overloaded

#: Keys that may be locked or waited for at the same time.
KEYS_MAX = 10_000

Key = tuple[str, ...]


@dataclass(slots=True)
class _Gate:
    """One key's lock: many sharers or one excluder; who excludes goes before who shares."""

    changed: threading.Condition
    sharers: int = 0
    excluded: bool = False
    excluders_waiting: int = 0
    users: int = 0


class Locks:
    """A table of locks that exist while somebody holds or wants them.

    Args:
        clock: Time, for the deadlines.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._gates: dict[Key, _Gate] = {}

    def __len__(self) -> int:
        return len(self._gates)

    @contextmanager
    def shared(self, key: Key, *, deadline: float) -> Iterator[None]:
        """Hold the key's lock together with other sharers.

        Args:
            key: What to lock.
            deadline: When to give up waiting, monotonic seconds.

        Raises:
            DeadlineExceeded: An excluder held it until then.
            Overloaded: Too many keys are locked already.
        """
        with self._mutex:
            gate = self._enter(key)
            try:
                while gate.excluded or gate.excluders_waiting:
                    self._wait(gate, key, deadline)
                gate.sharers += 1
            except BaseException:
                self._leave(key, gate)
                raise
        try:
            yield
        finally:
            with self._mutex:
                gate.sharers -= 1
                self._leave(key, gate)

    @contextmanager
    def exclusive(self, key: Key, *, deadline: float) -> Iterator[None]:
        """Hold the key's lock alone; arguments and errors as ``shared``."""
        with self._mutex:
            gate = self._enter(key)
            gate.excluders_waiting += 1
            try:
                while gate.excluded or gate.sharers:
                    self._wait(gate, key, deadline)
                gate.excluded = True
            except BaseException:
                gate.excluders_waiting -= 1
                self._leave(key, gate)
                raise
            gate.excluders_waiting -= 1
        try:
            yield
        finally:
            with self._mutex:
                gate.excluded = False
                self._leave(key, gate)

    def _enter(self, key: Key) -> _Gate:
        gate = self._gates.get(key)
        if gate is None:
            if len(self._gates) >= KEYS_MAX:
                raise Overloaded("Too many writes are under way. Try again.", retry_after_s=1.0)
            gate = self._gates[key] = _Gate(threading.Condition(self._mutex))
        gate.users += 1
        return gate

    def _leave(self, key: Key, gate: _Gate) -> None:
        gate.users -= 1
        if gate.users == 0:
            del self._gates[key]
        else:
            gate.changed.notify_all()

    def _wait(self, gate: _Gate, key: Key, deadline: float) -> None:
        left_s = deadline - self._clock.monotonic()
        if left_s <= 0 or not gate.changed.wait(left_s):
            raise DeadlineExceeded(
                f"Another write of {key[0]} {key[-1]!r} did not end in time. Try again."
            )
