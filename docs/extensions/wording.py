"""What the tables have in common: text of the program as reStructuredText."""

from __future__ import annotations

import re

#: A URL, a path of a user's, or a flag, as the messages of the program write them.
_LITERAL = re.compile(r"""[a-z]+://[^\s,;)]*[^\s,;).]|\$\w+/\w+|~/[\w./]*\w|--[a-z][a-z-]+|'.'""")


def marked_up(text: str) -> str:
    """Return a text of the program with what is typed in it marked as such."""
    return _LITERAL.sub(lambda found: f"``{found[0].strip(chr(39))}``", text)
