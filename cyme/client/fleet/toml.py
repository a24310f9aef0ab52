"""Writing TOML, as much of it as a fleet needs (TOML 1.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_LINE_CHARS_MAX = 96


def document(tables: Mapping[tuple[str, ...], Mapping[str, Any]]) -> str:
    """Return a document.

    Args:
        tables: The values of each table, by the table's path.
    """
    return "\n".join(
        "\n".join([f"[{'.'.join(key_text(part) for part in path)}]", *_lines(values), ""])
        for path, values in tables.items()
    )


def key_text(key: str) -> str:
    """Return a key, in quotes where it needs them."""
    return key if _BARE_KEY.match(key) else value_text(key)


def value_text(value: Any) -> str:
    """Return a value: a text, a number, a boolean, a list or a mapping of such.

    Raises:
        TypeError: TOML has no such value; None is one.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            # What JSON escapes TOML escapes alike, and DEL besides.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(value_text(each) for each in value)}]"
        case Mapping():
            inner = ", ".join(f"{key_text(key)} = {value_text(value[key])}" for key in value)
            return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _lines(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        line = f"{key_text(key)} = {value_text(value)}"
        if isinstance(value, Mapping) and len(line) > _LINE_CHARS_MAX:
            for name, each in value.items():
                yield f"{key_text(key)}.{key_text(name)} = {value_text(each)}"
        else:
            yield line
