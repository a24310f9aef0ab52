from __future__ import annotations

import io
import logging

import pytest

from cyme.errors import StorageUnavailable
from cyme.programs.lifetimes import Lifetimes, Progress, StopAsked


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def never() -> bool:
    return False


def test_what_was_started_is_stopped_in_reverse() -> None:
    done: list[str] = []
    lifetimes = Lifetimes(Progress(io.StringIO()), never)
    assert lifetimes.step("one", lambda: 1, end=lambda: done.append("one")) == 1
    lifetimes.step("two", lambda: done.append("begin"), end=lambda: done.append("two"))
    lifetimes.stop()
    lifetimes.stop()
    assert done == ["begin", "two", "one"]


def test_what_did_not_start_is_not_stopped() -> None:
    done: list[str] = []
    lifetimes = Lifetimes(Progress(io.StringIO()), never)
    with pytest.raises(ZeroDivisionError):
        lifetimes.step("one", lambda: 1 / 0, end=lambda: done.append("one"))
    lifetimes.stop()
    assert done == []


def test_an_end_that_fails_keeps_no_other_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def refuse() -> None:
        raise StorageUnavailable("the disk is gone")

    lifetimes = Lifetimes(Progress(io.StringIO()), never)
    lifetimes.step("one", lambda: None, end=lambda: done.append("one"))
    lifetimes.step("two", lambda: None, end=refuse, end_title="closing")
    lifetimes.step("three", lambda: None, end=lambda: 1 / 0)
    with caplog.at_level(logging.ERROR):
        lifetimes.stop()
    assert done == ["one"]
    assert "closing failed: the disk is gone" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_wish_to_stop_is_granted_between_two_steps() -> None:
    asked = False
    lifetimes = Lifetimes(Progress(io.StringIO()), lambda: asked)
    lifetimes.step("one", lambda: None)
    asked = True
    with pytest.raises(StopAsked):
        lifetimes.step("two", lambda: None)


def test_steps_are_shown_on_a_terminal_alone() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        lifetimes = Lifetimes(Progress(stream), never)
        lifetimes.step("one", lambda: None, end=lambda: None, end_title="undoing one")
        lifetimes.step("", lambda: None)
        lifetimes.stop()
    assert terminal.getvalue() == "... one\n... undoing one\n"
    assert pipe.getvalue() == ""
