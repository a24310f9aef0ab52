"""Ids of tasks tell where a task was sent from."""

from __future__ import annotations

from uuid import RFC_4122, UUID, uuid4, uuid5

from hypothesis import given
from hypothesis import strategies as st

from cyme.core.task_ids import CHANCE_BYTES, branch_hint, origin_hint, task_id

CHANCE = st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES)


@given(st.text(max_size=128), CHANCE)
def test_an_id_is_a_uuid_of_version_8_that_tells_its_origin(branch: str, chance: bytes) -> None:
    made = task_id(branch, chance)
    assert UUID(made).version == 8
    assert UUID(made).variant == RFC_4122
    assert origin_hint(made) == branch_hint(branch)


def test_chance_makes_the_difference() -> None:
    ids = {task_id("branch1", bytes([number]) * CHANCE_BYTES) for number in range(256)}
    assert len(ids) == 256
    assert branch_hint("branch1") != branch_hint("branch2")


def test_other_ids_tell_no_origin() -> None:
    assert origin_hint(str(uuid4())) is None
    assert origin_hint(str(uuid5(uuid4(), "x"))) is None
    assert origin_hint("no uuid") is None
    assert origin_hint("") is None
    foreign = UUID(task_id("branch1", bytes(CHANCE_BYTES))).int | 0xC0 << 56
    assert origin_hint(str(UUID(int=foreign))) is None
