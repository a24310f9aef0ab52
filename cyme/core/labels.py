"""Labels: what a branch says of its machine, and what an instance needs of one.

An instance is placed on branches only that have all of its labels, with the same values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from cyme.errors import InvalidRequest

#: Pairs of key and value, sorted; each key once.
Labels = tuple[tuple[str, str], ...]

LABELS_MAX = 16
LABEL_CHARS_MAX = 63
TEXT_CHARS_MAX = 4096

_WORD = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{LABEL_CHARS_MAX - 1}}}\Z")


def read_labels(value: object) -> Labels:
    """Return labels in the form in which they are kept.

    Args:
        value: ``zone=a,disk=ssd``, the same as a JSON object, a map, or pairs of key and value.

    Raises:
        InvalidRequest: It is none of these, a key or a value is no name of 1 to 63 letters,
            digits, ``.``, ``_`` and ``-``, a key is there twice with different values, or there
            are more than 16.
    """
    labels: dict[str, str] = {}
    for key, text in _pairs(value):
        for word in (key, text):
            if _WORD.match(word) is None:
                raise _fault(
                    f"{word[:LABEL_CHARS_MAX]!r} is not a word for a label: use 1 to "
                    f"{LABEL_CHARS_MAX} letters, digits, '.', '_' and '-', the first neither "
                    "'.' nor '-'"
                )
        if labels.setdefault(key, text) != text:
            raise _fault(f"{key!r} is there twice with different values")
    if len(labels) > LABELS_MAX:
        raise _fault(f"has {len(labels)} labels; at most {LABELS_MAX} are allowed")
    return tuple(sorted(labels.items()))


def labels_told(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels as people write them."""
    return ",".join(f"{key}={value}" for key, value in labels)


def _pairs(value: object) -> list[tuple[str, str]]:
    if isinstance(value, str):
        if len(value) > TEXT_CHARS_MAX:
            raise _fault(f"has {len(value)} characters; at most {TEXT_CHARS_MAX} are allowed")
        value = _from_json(value) if value.lstrip().startswith("{") else _from_text(value)
    items = value.items() if isinstance(value, Mapping) else value
    if not isinstance(items, Iterable):
        raise _form()
    pairs = []
    for item in items:
        match item:
            case (str(key), str(text)):
                pairs.append((key, text))
            case _:
                raise _form()
    return pairs


def _from_text(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in text.split(","):
        if part.strip():
            key, equals, value = part.partition("=")
            if not equals:
                raise _form()
            pairs.append((key.strip(), value.strip()))
    return pairs


def _from_json(text: str) -> object:
    try:
        # As pairs, so that a key that is there twice is noticed.
        return json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise _form() from None


def _form() -> InvalidRequest:
    return _fault("must be labels such as zone=a,disk=ssd, or a JSON object of texts")


def _fault(detail: str) -> InvalidRequest:
    return InvalidRequest.of("labels", detail)
