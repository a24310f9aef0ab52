"""Whether two values of a parameter are the same. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cyme.client.fleet.secrets import MASK, masked_text, masked_url, password_in

#: What is told, and compared, key by key.
MAPS = frozenset({"env", "labels"})


def is_same(name: str, old: Any, new: Any) -> bool:
    """Tell whether two values of a parameter are the same, as far as a reply tells secrets.

    Args:
        name: The parameter.
        old: Its value as a branch told it; secrets may be masked.
        new: Its value as it is wanted.
    """
    if old == MASK and new is not None:
        return True
    if isinstance(old, str) and isinstance(new, str):
        return _is_same_text(name, old, new)
    if name in MAPS and isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(is_same(name, old[key], new[key]) for key in old)
    if name == "queues":
        return set(old or ()) == set(new or ())
    return _canonical(old) == _canonical(new)


def _is_same_text(name: str, old: str, new: str) -> bool:
    if old == new:
        return True
    if name in {"broker", "result_backend"}:
        if masked_url(old) != masked_url(new):
            return False
        known = password_in(old)
        return known in {MASK, password_in(new)}
    return MASK in old and old == masked_text(new)


def _canonical(value: Any) -> str:
    """Return what is the same for what JSON calls the same; True is not 1 there."""
    return json.dumps(value, sort_keys=True)
