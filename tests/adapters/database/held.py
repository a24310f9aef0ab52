"""A database whose thread is held, as a slow disk would hold it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import gevent

from cyme.adapters.database import Database
from tests.waiting import eventually

TIMEOUT_S = 30.0


@contextlib.contextmanager
def held(store: Database) -> Iterator[None]:
    """Hold the thread in a system call until the block is left."""
    reading, writing = os.pipe()
    holding = gevent.spawn(store._do, lambda _session: os.read(reading, 1), TIMEOUT_S)
    assert store._writer is not None
    writer = store._writer
    try:
        eventually(lambda: writer._busy_since is not None)
        yield
    finally:
        os.write(writing, b"x")
        gevent.joinall([holding], timeout=TIMEOUT_S)
        os.close(reading)
        os.close(writing)
