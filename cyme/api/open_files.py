"""How many files the process may have open, of which connections and streams take a part."""

from __future__ import annotations

import resource
import sys


def open_files_max() -> int:
    """Return how many files this process may have open at this moment."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
