from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.task_events import (
    STATES,
    URL_CHARS_MAX,
    SentTask,
    TaskDeed,
    exception_class,
    moment_of,
    url_in,
    url_told,
)


def test_every_deed_leads_to_a_state_of_its_own() -> None:
    assert set(STATES) == set(TaskDeed)
    assert len(set(STATES.values())) == len(TaskDeed)


def test_a_moment_that_cannot_be_is_now() -> None:
    now = 1_000_000.0
    assert moment_of(now - 30, now) == now - 30
    for claimed in (0.0, -1.0, now + 4000, float("nan"), float("inf")):
        assert moment_of(claimed, now) == now


def test_a_url_is_told_without_what_may_be_secret() -> None:
    assert url_told("http://u:p@host:8/a/b?token=x#y") == "http://host:8/a/b"
    assert url_told("http://[::1") == ""
    assert len(url_told("http://h/" + "a" * 9999)) == URL_CHARS_MAX


@pytest.mark.parametrize("url", ["http://host/path", "http://host/it's", 'http://h/"x"'])
def test_the_url_in_the_arguments_of_a_queued_url_is_found(url: str) -> None:
    assert url_in(repr({"method": "GET", "url": url})) in (url, url.partition("'")[0])
    assert url_in(repr({"url": f"{url}?secret=1"})).startswith("http://h")
    assert "secret" not in url_in(repr({"url": f"{url}?secret=1"}))


def test_arguments_without_a_url_tell_none() -> None:
    assert url_in("{'method': 'GET'}") == ""


@given(st.text())
def test_whatever_is_told_of_arguments_no_query_gets_through(kwargs: str) -> None:
    assert "?" not in url_in(kwargs)


def test_an_exception_is_known_by_its_class() -> None:
    assert exception_class("ValueError('no such thing')") == "ValueError"
    assert exception_class("proj.errors.Odd()") == "proj.errors.Odd"
    assert exception_class("<odd>") == "Exception"
    assert exception_class("") == "Exception"


def test_what_a_branch_has_sent_is_an_event_of_it() -> None:
    sent = SentTask(
        broker="redis://r:6379/0", uuid="u1", name="n", app="shop", queue="q", url="http://h/", at=5
    )
    event = sent.as_event("cyme@b1")
    assert (event.deed, event.uuid, event.node, event.at) == (TaskDeed.SENT, "u1", "cyme@b1", 5)
    assert (event.name, event.queue, event.url, event.app) == ("n", "q", "http://h/", "shop")
