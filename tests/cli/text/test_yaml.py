from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cyme.cli.text.yaml import to_yaml

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(
        ["yes", "No", "on", "null", "~", "1", "0x1f", "1e3", "2030-01-01", "12:30", "a: b",
         "- a", "# c", "a #c", "&a", "*a", "!t", "%x", "@x", "`x", "=", "<<", "---", "a b", ""]
    ),
)  # fmt: skip
data = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        texts,
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
    max_leaves=20,
)


@given(data)
def test_comes_back_as_it_was(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


def test_reads_as_one_would_write_it() -> None:
    value = {"name": "w1", "queues": ["a", "b"], "broker": {"port": 5672, "vhost": "/"}, "env": {}}
    assert to_yaml(value).splitlines() == [
        "name: w1",
        "queues:",
        "- a",
        "- b",
        "broker:",
        "  port: 5672",
        '  vhost: "/"',
        "env: {}",
    ]


@pytest.mark.parametrize("text", ["\x1b[2J", "\u202e", "\x9b", "\x85"])
def test_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    assert text not in to_yaml({"reason": text})
    assert yaml.safe_load(to_yaml([text])) == [text]
