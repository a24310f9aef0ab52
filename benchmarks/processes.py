"""Processes of this machine, found and ended by a mark in their environment."""

from __future__ import annotations

from contextlib import suppress

import psutil

END_TIMEOUT_S = 15.0


def marked(variable: str, prefix: str) -> list[psutil.Process]:
    """Return the living processes whose variable begins with ``prefix``; children inherit it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(variable, "").startswith(prefix):
                found.append(process)
    return found


def end_marked(variable: str, prefix: str) -> None:
    """Kill them, until there are none: one that is starting may leave a child behind."""
    while found := marked(variable, prefix):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=END_TIMEOUT_S)
