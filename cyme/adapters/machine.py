"""What this machine has for workers: ``cyme.core.ports.Machine``."""

from __future__ import annotations

import os
from pathlib import Path


class LocalMachine:
    """The machine that this process runs on."""

    def lacks(self, python: str, workdir: str | None) -> str:
        """Return what a worker would lack on this machine, in words; empty if it lacks nothing."""
        if not Path(python).is_file():
            return f"it has no interpreter {python!r}"
        if not os.access(python, os.X_OK):
            return f"its interpreter {python!r} may not be executed by this branch's user"
        if workdir is None:
            return ""
        if not Path(workdir).is_dir():
            return f"it has no working directory {workdir!r}"
        if not os.access(workdir, os.X_OK):
            return f"its working directory {workdir!r} may not be entered by this branch's user"
        return ""
