"""What it means that a file cannot be written."""

from __future__ import annotations

import errno

from cyme.errors import StorageFull, StorageUnavailable

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unwritten(error: OSError, told: str) -> StorageUnavailable:
    """Return the error that a caller gets.

    Args:
        error: What the system says.
        told: What was not written, and what to do.
    """
    return StorageFull(told) if error.errno in _NO_ROOM else StorageUnavailable(told)
