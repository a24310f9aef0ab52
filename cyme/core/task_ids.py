"""Ids of tasks: UUIDs of version 8 (RFC 9562, section 5.8) that tell where a task was sent from.

The first 48 bits are a hash of the branch's id, so that whoever is asked for a result knows
whom to ask; 74 bits are chance.
"""

from __future__ import annotations

from hashlib import blake2b
from uuid import RFC_4122, UUID

HINT_BYTES = 6
CHANCE_BYTES = 10

_VERSION = 8


def task_id(branch: str, chance: bytes) -> str:
    """Return the id of a task that a branch sends.

    Args:
        branch: The branch's id.
        chance: ``CHANCE_BYTES`` random bytes.
    """
    assert len(chance) == CHANCE_BYTES
    number = bytearray(branch_hint(branch) + chance)
    number[6] = number[6] & 0x0F | _VERSION << 4
    number[8] = number[8] & 0x3F | 0x80
    return str(UUID(bytes=bytes(number)))


def branch_hint(branch: str) -> bytes:
    """Return what the ids of a branch's tasks begin with."""
    return blake2b(branch.encode(), digest_size=HINT_BYTES).digest()


def origin_hint(task: str) -> bytes | None:
    """Return the hint of the branch that sent a task, or None if its id carries none."""
    try:
        number = UUID(task)
    except ValueError:
        return None
    if number.variant != RFC_4122 or number.version != _VERSION:
        return None
    return number.bytes[:HINT_BYTES]
