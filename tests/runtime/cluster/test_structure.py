from __future__ import annotations

import struct
from datetime import UTC, datetime

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.errors import ProtocolError
from cyme.runtime.cluster.structure import (
    DEPTH_MAX,
    ELEMENTS_MAX,
    MEMBERS_MAX,
    check_structure,
    packed,
    unpacked,
)
from tests.runtime.cluster.cost import at_most
from tests.runtime.cluster.messages import many

MIB = 1024 * 1024

#: Every head of the format, with lengths of one, two and four bytes.
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.sampled_from([255, 256, 65_535, 65_536]).flatmap(
        lambda size: st.sampled_from(["x" * size, b"x" * size])
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=30,
)


@many
@given(values)
def test_what_is_packed_is_unpacked(value: object) -> None:
    data = packed(value)
    assert unpacked(data, len(data)) == value


@many
@given(values)
def test_elements_are_counted_as_they_are(value: object) -> None:
    assert check_structure(packed(value)) == count(value)


@pytest.mark.parametrize("members", [15, 16, 255, 256, MEMBERS_MAX])
def test_arrays_and_maps_of_every_width_are_taken(members: int) -> None:
    for value in ([1] * members, {str(i): i for i in range(members)}):
        assert unpacked(packed(value), MIB) == value


def test_single_precision_is_taken() -> None:
    assert unpacked(struct.pack(">Bf", 0xCA, 1.5), MIB) == 1.5


@many
@given(st.binary(max_size=300))
def test_any_bytes_are_one_value_or_a_protocol_error(data: bytes) -> None:
    try:
        value = unpacked(data, MIB)
    except ProtocolError:
        return
    assert value == value or value != value  # noqa: PLR0124 - it is whole, and not a number perhaps


@many
@given(values, st.data())
def test_bytes_that_are_cut_off_or_go_on_are_refused(value: object, data: st.DataObject) -> None:
    whole = packed(value)
    with pytest.raises(ProtocolError):
        unpacked(whole[: data.draw(st.integers(0, len(whole) - 1))], MIB)
    with pytest.raises(ProtocolError):
        unpacked(whole + b"\0", MIB)


@pytest.mark.parametrize(
    "data",
    [
        msgpack.packb(msgpack.ExtType(5, b"abc")),
        msgpack.packb(datetime(2020, 1, 1, tzinfo=UTC), datetime=True),
        *(msgpack.packb(msgpack.ExtType(1, b"x" * size)) for size in (1, 2, 4, 8, 16, 300, 70_000)),
        b"\xc1",
        b"\x81\x01\x02",  # a map by a number
        b"\xa2\xff\xfe",  # a text that is none
        b"\x81\xa1\xff\x02",
        b"",
    ],
)
def test_types_that_nobody_sends_are_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        unpacked(data, MIB)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_more_bytes_than_allowed_are_refused() -> None:
    data = packed("x" * 100)
    assert unpacked(data, len(data)) == "x" * 100
    with pytest.raises(ProtocolError, match=r"102 bytes; at most 101"):
        unpacked(data, len(data) - 1)


def test_depth_and_number_are_limited() -> None:
    assert unpacked(b"\x91" * DEPTH_MAX + b"\xc0", MIB) is not None
    rows = ELEMENTS_MAX // MEMBERS_MAX - 1
    full: list[object] = [*([[0] * (MEMBERS_MAX - 1)] * rows), [0] * (MEMBERS_MAX - 2)]
    assert check_structure(packed(full)) == ELEMENTS_MAX
    for data in (
        b"\x91" * (DEPTH_MAX + 1) + b"\xc0",
        b"\x81\xa1x" * (DEPTH_MAX + 1) + b"\xc0",
        b"\x91" * DEPTH_MAX + b"\x90",
        packed([*full, 0]),
        packed([0] * (MEMBERS_MAX + 1)),
        packed({str(i): 0 for i in range(MEMBERS_MAX + 1)}),
    ):
        with pytest.raises(ProtocolError):
            unpacked(data, MIB)


def array(members: int) -> bytes:
    return struct.pack(">BI", 0xDD, members)


BOMBS = {
    "deep": b"\x91" * MIB,
    "deep maps": b"\x81\xa1x" * (MIB // 3),
    "empty maps": array(MIB - 5) + b"\x80" * (MIB - 5),
    "empty maps in rows": (array(100) + (array(10_000) + b"\x80" * 10_000) * 100),
    "8 MiB of empty maps": array(8 * MIB - 5) + b"\x80" * (8 * MIB - 5),
    "200,000 elements": array(200_000) + b"\0" * 200_000,
    "200,000 elements in rows": array(20) + (array(10_000) + b"\0" * 10_000) * 20,
    "4 billion elements": array(2**32 - 1),
    "4 billion elements in each": array(10_000) + array(2**32 - 1) * 10_000,
    "4 billion pairs": b"\xdf\xff\xff\xff\xff",
    "a text of 4 GB": b"\xdb\xff\xff\xff\xff",
    "bytes of 4 GB": b"\xc6\xff\xff\xff\xff",
    "an extension of 4 GB": b"\xc9\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_what_claims_to_be_much_costs_nothing(bomb: bytes) -> None:
    with at_most(64 * 1024), pytest.raises(ProtocolError):
        unpacked(bomb, 8 * MIB)


def test_the_most_that_is_taken_costs_some_megabytes() -> None:
    data = packed([[{}] * (MEMBERS_MAX - 1)] * 9)
    with at_most(16 * MIB):
        assert unpacked(data, MIB)


def test_half_a_character_does_not_stop_a_message() -> None:
    assert unpacked(packed("caf\udce9"), MIB) == "caf?"


def count(value: object) -> int:
    match value:
        case list():
            return 1 + sum(map(count, value))
        case dict():
            return 1 + len(value) + sum(map(count, value.values()))
    return 1
