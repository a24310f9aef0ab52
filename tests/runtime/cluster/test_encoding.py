from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.access import Caller, Role
from cyme.core.branches import BranchInfo, BranchState, BranchVitals, ClusterView
from cyme.core.events import Event
from cyme.core.model import App, BranchId, Broker, Instance, Queue, Record, Stamp, WorkerSpec
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.tasks import Outcome, TaskState
from cyme.errors import (
    Fault,
    ProtocolError,
    TooLarge,
)
from cyme.runtime.cluster.encoding import (
    decode,
    decode_arguments,
    encode,
)
from cyme.runtime.cluster.expected import VALUE_BYTES_MAX
from cyme.runtime.cluster.structure import DEPTH_MAX, ELEMENTS_MAX, MEMBERS_MAX, packed
from cyme.runtime.service.answers import Written
from cyme.runtime.service.calls import CALLS
from cyme.runtime.service.queues import KEEP, Given, Keep
from tests.core import records
from tests.runtime.cluster import messages
from tests.runtime.cluster.messages import durations, many, moments, names, texts, tuples_of

SECRET = "hunter2"

whole = st.integers(-(2**63), 2**64 - 1)
real = st.floats(-1e15, 1e15)
keys = texts | texts.map("${}".format) | st.just("$Broker")
brokers = st.builds(Broker, texts)
json_like: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | whole | real | texts | st.binary(max_size=9) | brokers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
maps = st.dictionaries(keys, json_like, max_size=3)
callers = st.builds(Caller, st.sampled_from(Role), texts)
statuses = st.builds(
    InstanceStatus,
    state=st.sampled_from(InstanceState),
    reason=texts,
    pids=tuples_of(whole),
    restarts=whole,
    since=moments,
)

#: Types of which calls are made, and what is of them.
TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (None, st.none()),
    (bool, st.booleans()),
    (int, whole),
    (float, real),
    (str, texts),
    (bytes, st.binary()),
    (object, json_like),
    (Mapping[str, object], maps),
    (dict[str, int], st.dictionaries(keys, whole)),
    (list[str], st.lists(texts)),
    (Sequence[int], st.lists(whole)),
    (tuple[str, ...], tuples_of(texts)),
    (tuple[int, str | None], st.tuples(whole, st.none() | texts)),
    (tuple[()], st.just(())),
    (BranchId, names),
    (Role, st.sampled_from(Role)),
    (InstanceState, st.sampled_from(InstanceState)),
    (Keep, st.just(KEEP)),
    (Given, st.none() | texts | st.just("keep") | st.just(KEEP)),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    (int | str | None, st.none() | whole | texts),
    (bool | int, st.booleans() | whole),
    (list[tuple[str, Caller]], st.lists(st.tuples(texts, callers), max_size=3)),
    (Broker, brokers),
    (Stamp, messages.stamps),
    (WorkerSpec, messages.specs),
    (App, messages.apps),
    (Queue, messages.queues),
    (Instance, messages.instances),
    (Record, messages.apps | messages.queues | messages.instances),
    (tuple[App | Queue, ...], tuples_of(messages.apps | messages.queues)),
    (Caller, callers),
    (InstanceStatus, statuses),
    (tuple[InstanceStatus, float], st.tuples(statuses, durations)),
    (
        BranchVitals,
        st.builds(
            BranchVitals, load=durations, hub_lag_s=durations, instances=whole, as_of=moments
        ),
    ),
    (
        ClusterView,
        st.builds(
            ClusterView,
            name=texts,
            branch=names,
            digest=texts,
            fenced=st.booleans(),
            branches=tuples_of(
                st.builds(
                    BranchInfo,
                    id=names,
                    state=st.sampled_from(BranchState),
                    url=st.none() | texts,
                    labels=messages.pairs,
                )
            ),
            epochs=st.dictionaries(names, whole, max_size=3),
        ),
    ),
    (
        Event,
        st.builds(
            Event,
            seq=whole,
            at=moments,
            kind=texts,
            reason=texts,
            app=st.none() | texts,
            instance=st.none() | texts,
            data=maps,
        ),
    ),
    (
        Outcome,
        st.builds(
            Outcome,
            state=st.sampled_from(TaskState),
            result=json_like,
            traceback=st.none() | texts,
        ),
    ),
    (Written[Instance], st.builds(Written, messages.instances, st.booleans(), st.booleans())),
    (Written[Queue], st.builds(Written, messages.queues, st.booleans(), st.booleans())),
]
IDS = [str(getattr(type_, "__name__", type_)) for type_, _ in TYPES]


@pytest.mark.parametrize(("type_", "values"), TYPES, ids=IDS)
@many
@given(data=st.data())
def test_a_value_arrives_as_it_was(
    type_: Any, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    arrived = decode(encode(value), type_)
    assert arrived == value
    assert type(arrived) is type(value)


def test_every_call_can_be_made() -> None:
    for call in CALLS.values():
        for type_ in (*call.arguments.values(), call.returns):
            with pytest.raises(ProtocolError):
                decode(b"\xc1", type_)


@many
@given(st.dictionaries(names, json_like, max_size=3), callers, st.none() | whole)
def test_arguments_arrive_by_their_names(
    changes: dict[str, object], caller: Caller, if_match: int | None
) -> None:
    types = {"changes": Mapping[str, object], "caller": Caller, "if_match": int | None}
    given = {"changes": changes, "caller": caller, "if_match": if_match}
    assert decode_arguments(encode(given), types, types) == given


def test_arguments_are_those_that_are_known_and_needed() -> None:
    types = {"name": str, "if_match": int | None}
    assert decode_arguments(encode({"name": "w1"}), types, {"name"}) == {"name": "w1"}
    for told in ({"if_match": 1}, {"name": "w1", "force": True}, {"name": 1}, ["name"], {"$": 1}):
        with pytest.raises(ProtocolError):
            decode_arguments(encode(told), types, {"name"})
    with pytest.raises(ProtocolError):
        decode_arguments(packed({"$Caller": {"name": "w1"}}), types, {"name"})


# --- what it may not be --------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Other:
    name: str


UserId = NewType("UserId", str)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (1, str),
        ("1", int),
        (True, int),
        (1, bool),
        (None, str),
        (0, None),
        ("x", bytes),
        (b"x", str),
        ("x", float),
        (True, float),
        (float("nan"), float),
        (float("inf"), float),
        (1e300, float),
        ("running!", InstanceState),
        (1, InstanceState),
        (4, Role),
        (True, Role),
        ("ADMIN", Role),
        (Colour.RED, Keep),
        ("red", Colour),
        ("b", Literal["a", 1]),
        (True, Literal["a", 1]),
        (1.0, int | str),
        ([1, "2"], list[int]),
        ("12", list[str]),
        ({"a": "b"}, dict[str, int]),
        ([["a", 1]], dict[str, int]),
        ([1], tuple[int, int]),
        ([1, 2, 3], tuple[int, int]),
        (1, UserId),
        (Other("x"), Caller),
        (Other("x"), Mapping[str, object]),
        (Other("x"), object),
        ([{"x": Other("x")}], object),
        (KEEP, object),
        (records.app(), object),
        (records.app(), Queue),
        (records.app(), Queue | Instance | None),
        ({"role": 3, "name": "x"}, Caller),
        (Caller(Role.ADMIN, None), Caller),  # type: ignore[arg-type]
        (Written(records.app(), created=True, changed=True), Written[Instance]),
        (records.app("a b"), App),
        (records.instance("-"), Written[Instance]),
    ],
)
def test_a_value_of_another_type_is_refused(value: object, type_: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(encode(value), type_)


@pytest.mark.parametrize(
    ("plain", "type_"),
    [
        ({"$Broker": {"url": "x"}, "more": 1}, object),
        ({"$Broker": {"url": 1}}, object),
        ({"$Broker": "x"}, object),
        ({"$Broker": {}}, object),
        ({"$": 1}, object),
        ({"$Caller": {"role": 1}}, Caller),
        ({"$Caller": {"role": 1, "name": "x"}, "more": 1}, Caller),
        ({"$Caller": ["x"]}, Caller),
        ({"$App": {}}, App),
        ({"$App": []}, App),
        ({b"x": 1}, object),
        ({b"x": 1}, dict[str, int]),
    ],
)
def test_what_nobody_encodes_is_refused(plain: object, type_: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(packed(plain), type_)


def test_fields_that_are_not_known_are_ignored_and_missing_ones_have_their_defaults() -> None:
    later = {"$InstanceStatus": {"state": "running", "reason": "it answers", "more": [{}]}}
    assert decode(packed(later), InstanceStatus) == InstanceStatus(
        state=InstanceState.RUNNING, reason="it answers"
    )


@pytest.mark.parametrize("value", [Colour, Other, object(), {1: 2}, {None: 1}, {1, 2}, 1j, Fault])
def test_what_has_no_form_cannot_be_encoded(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        encode(value)
    with pytest.raises(TypeError, match="cannot be sent"):
        encode({"deep": [value]})


@pytest.mark.parametrize(
    "type_", [complex, set[int], dict[int, str], list["int | complex"], Any | set]
)
def test_types_that_no_call_uses_cannot_be_expected(type_: Any) -> None:
    with pytest.raises(TypeError):
        decode(encode(None), type_)


def test_texts_by_enumerations_are_texts_where_anything_is_expected() -> None:
    value = {InstanceState.RUNNING: InstanceState.RUNNING, "role": Role.ADMIN}
    assert decode(encode(value), object) == {"running": "running", "role": 3}


# --- limits --------------------------------------------------------------------------------------


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_value_has_room_in_a_message() -> None:
    largest = b"x" * (VALUE_BYTES_MAX - 5)
    assert decode(encode(largest), bytes) == largest
    with pytest.raises(TooLarge, match=f"{VALUE_BYTES_MAX} are the most. Ask for less"):
        encode(largest + b"x")
    with pytest.raises(ProtocolError):
        decode(packed(largest + b"x"), bytes)


@pytest.mark.parametrize(
    "value",
    [
        nested(DEPTH_MAX + 1),
        nested(5_000),
        [0] * (MEMBERS_MAX + 1),
        dict.fromkeys(map(str, range(MEMBERS_MAX + 1))),
        [[0] * 9_000] * (ELEMENTS_MAX // 9_000 + 1),
        2**64,
        [-(2**63) - 1],
        [Caller(Role.ADMIN, "x" * VALUE_BYTES_MAX)],
    ],
    ids=["deep", "very deep", "list", "map", "elements", "number", "low number", "text"],
)
def test_what_nobody_would_take_is_not_encoded(value: object) -> None:
    with pytest.raises(TooLarge):
        encode(value)


def test_what_is_encoded_is_taken() -> None:
    for value in (nested(DEPTH_MAX), [0] * MEMBERS_MAX, 2**64 - 1, -(2**63)):
        assert decode(encode(value), object) == value


@many
@given(st.binary(max_size=200), st.sampled_from([type_ for type_, _ in TYPES]))
def test_any_bytes_are_a_value_or_a_protocol_error(data: bytes, type_: Any) -> None:
    with suppress(ProtocolError):
        decode(data, type_)


@many
@given(st.sampled_from(TYPES), st.sampled_from(TYPES), st.data())
def test_damaged_values_are_a_value_or_a_protocol_error(
    sent: tuple[Any, st.SearchStrategy[Any]],
    expected: tuple[Any, st.SearchStrategy[Any]],
    data: st.DataObject,
) -> None:
    damaged = bytearray(encode(data.draw(sent[1])))
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=3)):
        damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    for type_ in (sent[0], expected[0]):
        with suppress(ProtocolError):
            decode(bytes(damaged), type_)


def test_no_fault_tells_of_the_content() -> None:
    broker = Broker(f"redis://:{SECRET}@127.0.0.1")
    spec = WorkerSpec(broker=broker, env=(("TOKEN", SECRET),), pool=5)  # type: ignore[arg-type]
    for value, type_ in (
        (broker, str),
        ({"broker": broker, SECRET: spec}, object),
        (records.app(name=SECRET + " "), App),
        (spec, WorkerSpec),
        ({SECRET: SECRET}, Caller),
        (SECRET, InstanceState),
    ):
        with pytest.raises(ProtocolError) as caught:
            decode(encode(value), type_)
        assert SECRET not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(TypeError) as refused:
        encode({SECRET: {SECRET, spec}})
    assert SECRET not in str(refused.value)
