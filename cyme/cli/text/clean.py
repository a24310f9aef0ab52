"""Text that came from elsewhere, made safe for a terminal.

A reason, a log line or a name may hold whatever somebody could write into it. A terminal obeys
control characters, and shows text in another order where Unicode's directions say so; neither
reaches one from here.
"""

from __future__ import annotations

import re
import unicodedata

#: C0 and C1, line and paragraph separators, directions, invisible marks and half characters.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_HOSTILE_BUT_TAB = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
#: Colours, as a worker's log may hold them.
_COLOUR = re.compile("\x1b\\[[0-9;]*m")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BYTE_MAX = 0xFF
_CUT = "…"


def one_line(text: str) -> str:
    """Return a text in one line, what a terminal would obey written as an escape."""
    return _HOSTILE.sub(_escape, text)


def log_line(text: str) -> str:
    """Return a line of a log: without its colours, its tabs kept, the rest as escapes."""
    return _HOSTILE_BUT_TAB.sub(_escape, _COLOUR.sub("", text))


def harmless(text: str) -> str:
    """Return a text of any number of lines, its tabs kept, what a terminal would obey escaped."""
    return "\n".join(_HOSTILE_BUT_TAB.sub(_escape, line) for line in text.split("\n"))


def json_safe(text: str) -> str:
    """Return a JSON text, in which what a terminal would obey is escaped as JSON does it."""
    return _HOSTILE.sub(
        lambda found: found[0] if found[0] in "\n\t" else f"\\u{ord(found[0]):04x}", text
    )


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a clean text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def cut(text: str, columns: int) -> str:
    """Return a clean text that takes at most so many columns, marked where it was cut."""
    if columns_of(text) <= columns:
        return text
    if columns < 1:
        return ""
    kept, taken = [], 0
    for character in text:
        taken += _columns(character)
        if taken > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _CUT


def folded(text: str, columns: int) -> list[str]:
    """Return a clean text as lines of at most so many columns, broken between words if it can be.

    Args:
        text: The text.
        columns: At least 1.
    """
    lines, taken = [""], 0
    for word in text.split(" "):
        needed = columns_of(word)
        if lines[-1] and taken + 1 + needed <= columns:
            lines[-1] += f" {word}"
            taken += 1 + needed
            continue
        if lines[-1]:
            lines.append("")
        taken = 0
        for character in word:
            more = _columns(character)
            if taken + more > columns and lines[-1]:
                lines.append("")
                taken = 0
            lines[-1] += character
            taken += more
    return lines


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return a clean text filled up with spaces to so many columns."""
    fill = " " * (columns - columns_of(text))
    return fill + text if right else text + fill


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    return f"\\x{code:02x}" if code <= _BYTE_MAX else f"\\u{code:04x}"
