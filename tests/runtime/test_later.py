from __future__ import annotations

import logging

import gevent
import pytest
from gevent.event import Event

from cyme.errors import Conflict, Overloaded
from cyme.runtime import later as module
from cyme.runtime.later import Later


def test_runs_a_write_that_nobody_waits_for() -> None:
    later, done = Later(), Event()
    later.run(done.set)
    assert not done.is_set()
    assert done.wait(5.0)
    later.stop(1.0)


def test_waits_at_the_end_for_what_is_under_way() -> None:
    later = Later()
    done: list[int] = []

    def write() -> None:
        gevent.idle()
        done.append(1)

    later.run(write)
    later.stop(5.0)
    assert done == [1]


def test_ends_what_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    later = Later()
    later.run(lambda: Event().wait(60.0) and None)
    later.stop(0.01)
    assert len(later) == 0
    assert "1 asynchronous writes were given up" in caplog.text


def test_refuses_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATER_MAX", 2)
    later, go = Later(), Event()
    for _ in range(2):
        later.run(lambda: go.wait(5.0) and None)
    with pytest.raises(Overloaded):
        later.run(go.set)
    go.set()
    later.stop(5.0)
    later.run(go.set)
    later.stop(5.0)


def test_a_failure_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def refused() -> None:
        raise Conflict("It is taken.")

    def broken() -> None:
        raise ZeroDivisionError

    later = Later()
    with caplog.at_level(logging.WARNING):
        later.run(refused)
        later.run(broken)
        later.stop(5.0)
    first, second = caplog.records
    assert "It is taken." in first.message
    assert first.exc_info is None
    assert second.exc_info is not None
