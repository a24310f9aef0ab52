from __future__ import annotations

import logging
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme import errors
from cyme.api.problems import StillWaiting
from cyme.errors import (
    CymeError,
    Fault,
    InvalidRequest,
    NotFound,
    NotOwner,
    OwnerUnreachable,
    ProtocolError,
)
from cyme.runtime.cluster.encoding import (
    FAULT_CHARS_MAX,
    FAULTS_MAX,
    decode_error,
    encode_error,
)
from cyme.runtime.cluster.expected import VALUE_BYTES_MAX
from cyme.runtime.cluster.rows import DURATION_S_MAX
from cyme.runtime.cluster.structure import packed
from tests.runtime.cluster.messages import many, texts

SECRET = "hunter2"


def arrived(error: Exception) -> CymeError:
    return decode_error(encode_error(error))


def classes() -> list[type[CymeError]]:
    return [
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, CymeError)
    ]


SPECIAL = {
    NotFound: NotFound("app", "shop", "PUT /shop/ creates it."),
    InvalidRequest: InvalidRequest("two", [Fault("pool", "is odd"), Fault("env", "is too long")]),
    NotOwner: NotOwner("branch2", 7),
    OwnerUnreachable: OwnerUnreachable("it is away", retry_after_s=2.5),
}


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_an_error_arrives_with_all_that_it_says(cls: type[CymeError]) -> None:
    error = SPECIAL.get(cls) or cls("what to do about it")
    told = arrived(error)
    assert type(told) is cls
    assert str(told) == str(error)
    assert vars(told) == vars(error)
    with pytest.raises(cls):
        raise told


@many
@given(texts, st.lists(st.builds(Fault, texts, texts)))
def test_faults_arrive_one_by_one(detail: str, faults: list[Fault]) -> None:
    told = arrived(InvalidRequest(detail, faults))
    assert isinstance(told, InvalidRequest)
    assert (told.detail, told.faults) == (detail, tuple(faults))


def test_a_very_long_error_is_cut() -> None:
    fault = Fault("env" * 1_000, "x" * 10_000)
    told = arrived(InvalidRequest("y" * 100_000, [fault] * 1_000))
    assert isinstance(told, InvalidRequest)
    assert len(told.faults) == FAULTS_MAX
    assert len(told.faults[0].detail) == len(told.faults[0].parameter) == FAULT_CHARS_MAX
    assert len(told.detail) == 8_192
    assert (
        len(encode_error(InvalidRequest("\N{PILE OF POO}" * 9_000, [fault] * 999)))
        < VALUE_BYTES_MAX
    )
    assert len(str(arrived(NotFound("app", "x" * 100_000)))) == 8_192


def test_an_error_of_a_class_that_is_not_told_is_what_it_is_a_case_of() -> None:
    told = arrived(StillWaiting("some-task", "PENDING", 3))
    assert type(told) is errors.DeadlineExceeded
    assert "Wait again" in told.detail


def test_an_error_that_only_later_versions_know_is_what_it_is_a_case_of() -> None:
    later = ["TooSoon", "StorageFull", "StorageUnavailable", "Unavailable", "CymeError"]
    told = decode_error(packed([later, "x", {"retry_after_s": 1, "more": [1]}, "more"]))
    assert type(told) is errors.StorageFull
    assert type(decode_error(packed([["TooSoon"], "x", {}]))) is CymeError


def test_an_error_that_nobody_foresaw_is_an_incident(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        told = arrived(RuntimeError(SECRET))
    assert type(told) is CymeError
    assert SECRET not in told.detail
    (logged,) = caplog.records
    assert isinstance(logged.args, tuple)
    assert str(logged.args[0]) in told.detail
    assert logged.exc_info
    assert isinstance(logged.exc_info[1], RuntimeError)


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        ["CymeError", "x", {}],
        [["CymeError"], 1, {}],
        [["CymeError"], "x"],
        [["CymeError"], "x", []],
        [["NotFound"], "x", {"kind": "app"}],
        [["NotFound"], "x", {"kind": "app", "name": 1}],
        [["NotOwner"], "x", {"retry_after_s": 1, "owner": "b1", "epoch": -1}],
        [["Unavailable"], "x", {"retry_after_s": float("inf")}],
        [["Unavailable"], "x", {"retry_after_s": -1}],
        [["Unavailable"], "x", {"retry_after_s": DURATION_S_MAX * 2}],
        [["InvalidRequest"], "x", {"faults": [["pool"]]}],
        [["InvalidRequest"], "x", {"faults": [["a", "b"]] * (FAULTS_MAX + 1)}],
        [["CymeError"] * 100, "x", {}],
        [["CymeError"], "x" * 9_000, {}],
    ],
)
def test_what_is_no_error_is_refused(plain: object) -> None:
    with pytest.raises(ProtocolError):
        decode_error(packed(plain))


@many
@given(st.binary(max_size=100))
def test_any_bytes_are_an_error_or_a_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        assert isinstance(decode_error(data), CymeError)


def test_nothing_outside_the_errors_can_be_named() -> None:
    for name in ("Sequence", "dataclass", "annotations", "__builtins__", "Fault", "Exception"):
        assert type(decode_error(packed([[name], "x", {}]))) is CymeError
