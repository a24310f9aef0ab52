"""``-L``: the API of a branch's directory, without its HTTP server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyme.programs.offline import open_directory

if TYPE_CHECKING:
    from cyme.cli.options import Given
    from cyme.client import Client


def local_client(given: Given, timeout_s: float) -> Client:
    """Return a client of the branch that lives in the directory of ``-D``.

    Raises:
        CymeError: No branch lives there, or its records cannot be used.
    """
    directory = Path(given.directory) if given.directory is not None else None
    return open_directory(directory, broker=given.broker, timeout_s=timeout_s)
