"""What something costs at most: memory, and time by a measure that a busy machine keeps."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

#: Processor seconds; a hundred times what it takes, as coverage and the tracing take theirs.
CPU_S_MAX = 5.0


@contextmanager
def at_most(peak_bytes: int) -> Iterator[None]:
    """See that what is done here takes no more memory than that, and not long."""
    tracemalloc.start()
    began_s = time.process_time()
    try:
        yield
        took_s = time.process_time() - began_s
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= peak_bytes
    assert took_s <= CPU_S_MAX
