"""The variables that the command reads, and what it knows of the terminal: all in one place.

``CYME_URL``, ``CYME_TOKEN``, ``CYME_CA``, ``CYME_CONTEXT`` and ``CYME_APP`` say what to talk to;
``CYME_DEBUG`` shows tracebacks; ``NO_COLOR`` leaves colours out (https://no-color.org).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_WIDTH_MIN = 20


@dataclass(frozen=True, slots=True)
class Variables:
    """What the environment says to talk to."""

    url: str | None
    token: str | None
    ca: str | None
    context: str | None
    app: str | None


def variables() -> Variables:
    """Return what the environment says to talk to; an empty variable says nothing."""
    names = ("CYME_URL", "CYME_TOKEN", "CYME_CA", "CYME_CONTEXT", "CYME_APP")
    return Variables(*(os.environ.get(name) or None for name in names))


def whole() -> Mapping[str, str]:
    """Return the environment."""
    return os.environ


def config_path() -> Path:
    """Return where the contexts are kept, whether the file exists or not."""
    base = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".config"
    return base / "cyme" / "config.toml"


def wants_tracebacks() -> bool:
    """Tell whether a programmer looks on."""
    return bool(os.environ.get("CYME_DEBUG"))


def is_terminal(stream: IO[str]) -> bool:
    """Tell whether a person reads, or types, at the other end."""
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def takes_colour(stream: IO[str]) -> bool:
    """Tell whether what reads a stream shows colours, and wants to."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def width_of(stream: IO[str]) -> int | None:
    """Return the columns of the terminal at the other end, None if there is none."""
    if not is_terminal(stream):
        return None
    import shutil  # noqa: PLC0415 - it loads what packs archives

    return max(_WIDTH_MIN, shutil.get_terminal_size().columns)


def may_ask() -> bool:
    """Tell whether a person can be asked and would see the question."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)
