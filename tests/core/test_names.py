from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.names import NAME_CHARS_MAX, check_name, direct_queue, node_name
from cyme.errors import InvalidRequest


@pytest.mark.parametrize("name", ["foo", "0", "_x", "a.b-c_d", "A" * NAME_CHARS_MAX, "a.."])
def test_takes_what_can_be_a_directory_a_node_and_a_routing_key(name: str) -> None:
    assert check_name("instance", name) == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "-x", ".x", "a/b", "a b", "ä", "a\n", "a%n", "$(id)", "a" * 129, "a@b", "a\0"],
)
def test_refuses_any_other_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_name("instance", name)
    assert caught.value.faults[0].parameter == "name"


@given(st.text())
def test_a_name_is_taken_as_it_is_or_refused(name: str) -> None:
    try:
        assert check_name("branch", name) == name
    except InvalidRequest:
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", name, re.ASCII)


def test_paths_of_the_api_are_no_names_for_apps() -> None:
    with pytest.raises(InvalidRequest, match="reserved"):
        check_name("app", "ping")
    assert check_name("instance", "ping") == "ping"


def test_names_of_direct_queues_are_kept_for_instances() -> None:
    assert direct_queue("w1") == "dq.w1"
    with pytest.raises(InvalidRequest, match="direct queues"):
        check_name("queue", "dq.w1")


def test_a_node_is_named_by_instance_and_branch() -> None:
    assert node_name("w1", "b1") == "w1@b1"
