"""A whole terminal as a screen: its own page, no cursor, keys as they are pressed.

Whatever ends the program, the terminal is as it was before.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TextIO

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _LINE_END, _REST = "\x1b[H", "\x1b[K", "\x1b[J"
_KEY_BYTES_MAX = 16

_KEYS = {
    "\x1b[A": "up", "\x1b[B": "down", "\x1b[5~": "page-up", "\x1b[6~": "page-down",
    "\x1bOA": "up", "\x1bOB": "down", "\x1b[H": "home", "\x1b[F": "end", "\x1b[1~": "home",
    "\x1b[4~": "end", "\x1b": "escape",
}  # fmt: skip


class Screen:
    """The terminal of standard input and output, while it is a screen."""

    def __init__(self) -> None:
        self.output: TextIO = sys.stdout
        self._input = sys.stdin.fileno()
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._input)
        tty.setcbreak(self._input)
        self._write(_ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._write(_LEAVE)
        termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)

    def draw(self, lines: Sequence[str], height: int) -> None:
        """Show lines, in one write so that nothing flickers."""
        shown = (_LINE_END + "\r\n").join(lines[:height])
        self._write(_HOME + shown + _LINE_END + _REST)

    def key(self, wait_s: float) -> str | None:
        """Return the key that is pressed within a time, None if none is."""
        try:
            readable, _, _ = select.select([self._input], [], [], wait_s)
        except InterruptedError:
            return None
        if not readable:
            return None
        text = os.read(self._input, _KEY_BYTES_MAX).decode("utf-8", "replace")
        if not text:
            return "q"  # the terminal is gone
        return _KEYS.get(text, text[0])

    def _write(self, text: str) -> None:
        self.output.write(text)
        self.output.flush()
