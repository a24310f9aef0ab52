"""A bounded number of things that hold connections, made when they are first needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cyme.errors import Overloaded

SHELF_MAX = 32


class Stoppable(Protocol):
    """Something that holds a connection."""

    @property
    def is_idle(self) -> bool:
        """Whether it may be stopped now."""

    def stop(self) -> None:
        """Let go of the connection."""


T = TypeVar("T", bound=Stoppable)


class Shelf(Generic[T]):
    """Things by key; the idle one that was longest not asked for makes room for a new one.

    Args:
        make: Makes the thing of a key; it connects to nothing yet.
    """

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._things: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, key: str) -> T:
        """Return the thing of a key.

        Raises:
            Overloaded: There are too many, and all are in use.
        """
        if key not in self._things:
            made = self._make(key)
            # While room is made others run, who may ask for the same, or take the room.
            while key not in self._things and len(self._things) >= SHELF_MAX:
                self._make_room()
            self._things.setdefault(key, made)
        self._things.move_to_end(key)
        return self._things[key]

    def clear(self) -> None:
        """Stop all of them."""
        while self._things:
            self._things.popitem()[1].stop()

    def _make_room(self) -> None:
        for key, thing in self._things.items():
            if thing.is_idle:
                del self._things[key]
                thing.stop()
                return
        raise Overloaded(f"{SHELF_MAX} brokers are in use at once; try again.")
