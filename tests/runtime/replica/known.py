"""What a replica knows at the beginning, and a gate before its store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gevent.event import Event

from cyme.core.model import BranchId, QueueName, Record
from cyme.testing import MemoryStore
from tests.core import records

APP = records.app()
QUEUE = records.queue()
INSTANCE = replace(records.instance(), queues=(QueueName("tasks"), QueueName("gone")))

#: The instance after another branch has taken it over.
TAKEN = replace(INSTANCE, owner=BranchId("b2"), epoch=2)


class Gate:
    """Holds the writes of a store until it is opened."""

    def __init__(self, store: MemoryStore) -> None:
        self.asked = 0
        self._open = Event()
        store.before_write = self._pass

    def open(self) -> None:
        self._open.set()

    def _pass(self, _records: Sequence[Record]) -> None:
        self.asked += 1
        self._open.wait()
