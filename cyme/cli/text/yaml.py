"""JSON data as YAML that every reader takes back as the same data.

Only block lists and maps, plain words that no version of YAML could take for something else, and
double-quoted texts in JSON's own spelling, which is YAML's too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cyme.cli.text.clean import json_safe

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@-]*( [A-Za-z0-9_./@-]+)*\Z")
#: Words that one version of YAML or another takes for a value of another type.
_RESERVED = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_INDENT = "  "


def to_yaml(data: Any) -> str:
    """Return JSON data (maps, lists, texts, numbers, booleans, None) as YAML, ending a line."""
    return "\n".join(_lines(data, "")) + "\n"


def _lines(data: Any, indent: str) -> Iterator[str]:
    match data:
        case Mapping() if data:
            for key, value in data.items():
                yield from _entry(f"{indent}{_scalar(str(key))}:", value, indent)
        case list() | tuple() if data:
            for value in data:
                yield from _item(value, indent)
        case _:
            yield indent + _scalar(data)


def _entry(start: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield start
        yield from _lines(value, indent + _INDENT)
    elif isinstance(value, list | tuple) and value:
        yield start
        yield from _lines(value, indent)
    else:
        yield f"{start} {_scalar(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    inner = list(_lines(value, indent + _INDENT))
    yield f"{indent}- {inner[0].lstrip(' ')}"
    yield from inner[1:]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.match(value) and value.lower() not in _RESERVED:
            return value
        return json_safe(json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _number(value: float) -> str:
    """Return a number that older readers take for one too: they want a point and a sign."""
    text = json.dumps(value)
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    mantissa = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"
