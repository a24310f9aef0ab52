"""Bytes that others sent, as plain values: MessagePack within limits.

The laws of reading: size before structure, structure before types. What the bytes claim to be
made of is looked at before anything is made of them, as a few bytes can claim a great deal: a
megabyte of empty maps is 64 megabytes of objects, and a header of five bytes says that four
billion elements follow. The format is that of https://github.com/msgpack/msgpack, spec.md.

Whatever is wrong with bytes is a ``ProtocolError`` that tells nothing of what was in them.
"""

from __future__ import annotations

from collections.abc import Callable

import msgpack

from cyme.errors import ProtocolError

#: Arrays and maps within each other.
DEPTH_MAX = 32

#: Elements of one array, or pairs of one map.
MEMBERS_MAX = 10_000

#: Elements of all of it together, the arrays and maps themselves included.
ELEMENTS_MAX = 100_000


def packed(value: object, default: Callable[[object], object] | None = None) -> bytes:
    """Return a value as bytes.

    Args:
        value: What is to be packed.
        default: Makes what MessagePack does not know into what it knows.

    Raises:
        OverflowError: A whole number does not fit into 64 bits.
        TypeError: There is something in it that cannot be packed; with ``default``, that is for
            it to say, and of such a number too.
    """
    # A text from the world outside may hold half a character (an undecodable byte of a path);
    # the reader refuses it, and a question mark is better than a message that is lost.
    data: bytes = msgpack.packb(value, default=default, unicode_errors="replace", buf_size=4096)
    return data


def unpacked(data: bytes, bytes_max: int) -> object:
    """Return the value that bytes stand for, made of plain types alone.

    Args:
        data: What was received.
        bytes_max: How many bytes it may be at most.

    Raises:
        ProtocolError: It is too large, or not one well-formed value within the limits.
    """
    if len(data) > bytes_max:
        raise ProtocolError(f"There are {len(data)} bytes; at most {bytes_max} are taken.")
    check_structure(data)
    try:
        value: object = msgpack.unpackb(data, raw=False, use_list=True, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException):
        # The cause would tell of the content.
        raise ProtocolError("The bytes are no MessagePack, or hold a text that is none.") from None
    return value


def check_structure(data: bytes) -> int:
    """Check what bytes claim to be made of, without making any of it.

    Returns:
        How many elements there are, the arrays and maps themselves included.

    Raises:
        ProtocolError: They end too early or too late, hold a type that is not taken (the
            extensions, moments among them), or exceed a limit.
    """
    at, left, elements = 0, 1, 1
    outer: list[int] = []  # how many members are left of each array and map around this one
    try:
        while True:
            while left:
                left -= 1
                head = data[at]
                step = _STEPS[head]
                if step:
                    at += step
                    continue
                at, members = _opened(data, at, head)
                if members < 0:
                    continue
                outer.append(left)
                left = members
                elements += members
                if len(outer) > DEPTH_MAX or elements > ELEMENTS_MAX:
                    raise ProtocolError("The bytes claim to be too deep or too large a structure.")
            if not outer:
                break
            left = outer.pop()
    except IndexError:
        raise ProtocolError("The bytes end before their content does.") from None
    if at != len(data):
        raise ProtocolError("The bytes do not end where their content does.")
    return elements


def _opened(data: bytes, at: int, head: int) -> tuple[int, int]:
    """Return where to go on behind a head, and how many members it opens; -1 for a text."""
    if head in _TEXTS:
        width = _TEXTS[head]
        return at + 1 + width + _number(data, at + 1, width), -1
    if head not in _CONTAINERS:
        raise ProtocolError("The bytes hold a type that is not taken.")
    width, each = _CONTAINERS[head]
    members = _number(data, at + 1, width) if width else head & 0x0F
    if members > MEMBERS_MAX:
        raise ProtocolError(f"An array or a map has more than {MEMBERS_MAX} members.")
    return at + 1 + width, members * each


def _number(data: bytes, at: int, width: int) -> int:
    if at + width > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + width], "big")


#: Of bin 8 to 32 and str 8 to 32: in how many bytes their length stands.
_TEXTS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}

#: Of arrays and maps: in how many bytes their length stands, and how many members it counts.
_CONTAINERS = {
    **dict.fromkeys(range(0x80, 0x90), (0, 2)),
    **dict.fromkeys(range(0x90, 0xA0), (0, 1)),
    0xDC: (2, 1),
    0xDD: (4, 1),
    0xDE: (2, 2),
    0xDF: (4, 2),
}


def _steps() -> bytes:
    """Return for every head how many bytes its element has; 0 where more than it must be read."""
    steps = bytearray(256)
    for small in (*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3):
        steps[small] = 1
    for text in range(0xA0, 0xC0):
        steps[text] = 1 + (text & 0x1F)
    for number, width in zip(range(0xCA, 0xD4), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8), strict=True):
        steps[number] = 1 + width
    return bytes(steps)


_STEPS = _steps()
