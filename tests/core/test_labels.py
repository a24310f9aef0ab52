from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.labels import LABELS_MAX, TEXT_CHARS_MAX, labels_told, read_labels
from cyme.errors import InvalidRequest

_words = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}", fullmatch=True)
_labels = st.dictionaries(_words, _words, max_size=LABELS_MAX)


@pytest.mark.parametrize(
    "value",
    [
        "zone=a,disk=ssd",
        " zone = a , disk=ssd, ",
        "disk=ssd,zone=a,disk=ssd",
        '{"zone": "a", "disk": "ssd"}',
        ' {"disk": "ssd", "zone": "a"} ',
        {"zone": "a", "disk": "ssd"},
        [("zone", "a"), ("disk", "ssd")],
        (("disk", "ssd"), ("zone", "a")),
    ],
)
def test_equal_labels_are_kept_alike(value: object) -> None:
    assert read_labels(value) == (("disk", "ssd"), ("zone", "a"))


@pytest.mark.parametrize("value", [{}, (), "{}", ","])
def test_there_may_be_none(value: object) -> None:
    assert read_labels(value) == ()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("zone", "must be labels such as zone=a,disk=ssd"),
        (5, "must be labels"),
        (None, "must be labels"),
        ({"zone": 1}, "must be labels"),
        ({1: "a"}, "must be labels"),
        (["zone=a"], "must be labels"),
        ("{", "must be labels"),
        ('{"zone": {"a": 1}}', "must be labels"),
        ('{"zone": ' + "[" * 4000, "must be labels"),
        ("=a", "'' is not a word for a label"),
        ("zone=", "'' is not a word"),
        ("zone=a=b", "'a=b' is not a word"),
        ("zone=-a", "the first neither"),
        ("zo ne=a", "'zo ne' is not a word"),
        ({"zone": "a\n"}, "is not a word"),
        ({"zoné": "a"}, "is not a word"),
        ({"z" * 64: "a"}, "1 to 63 letters"),
        ("zone=a,zone=b", "'zone' is there twice with different values"),
        ('{"zone": "a", "zone": "b"}', "'zone' is there twice"),
        ({f"k{n}": "v" for n in range(LABELS_MAX + 1)}, "has 17 labels; at most 16"),
        ("a" * (TEXT_CHARS_MAX + 1), "has 4097 characters"),
    ],
)
def test_says_what_is_wrong(value: object, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why) as caught:
        read_labels(value)
    assert [fault.parameter for fault in caught.value.faults] == ["labels"]


@given(_labels)
def test_what_is_told_can_be_read_again(labels: dict[str, str]) -> None:
    kept = read_labels(labels)
    assert dict(kept) == labels
    assert list(kept) == sorted(kept)
    assert read_labels(labels_told(kept)) == kept
    assert read_labels(json.dumps(labels)) == kept


@given(st.text() | st.dictionaries(st.text(), st.text()))
def test_whatever_comes_is_read_or_refused(value: object) -> None:
    with suppress(InvalidRequest):
        read_labels(value)
