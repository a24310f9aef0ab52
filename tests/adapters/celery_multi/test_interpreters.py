"""Interpreters are asked once what they can import, and none waits for another."""

from __future__ import annotations

import sys
from pathlib import Path

import gevent
import pytest

from cyme.adapters.celery_multi import interpreters as module
from cyme.adapters.celery_multi.interpreters import Interpreter, Interpreters
from cyme.errors import WorkerStartFailed
from tests.waiting import eventually


@pytest.fixture
def interpreters() -> Interpreters:
    return Interpreters()


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def ask(interpreters: Interpreters, python: str, place: Path) -> Interpreter:
    return interpreters.ask(python, env={}, workdir=str(place))


def test_who_asks_the_same_at_once_asks_once(interpreters: Interpreters, tmp_path: Path) -> None:
    log = tmp_path / "asked"
    python = program(tmp_path / "python", f"echo >> {log}; echo; sleep 0.2; echo celery")
    asking = [gevent.spawn(ask, interpreters, python, tmp_path) for _ in range(5)]
    gevent.joinall(asking, raise_error=True, timeout=20)
    assert {each.value for each in asking} == {Interpreter(has_celery=True, has_own_tasks=False)}
    assert log.read_text() == "\n"


def test_an_interpreter_that_hangs_keeps_no_other_waiting(
    interpreters: Interpreters, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    hanging = program(tmp_path / "hanging", f"touch {begun}; exec sleep 60")
    asking = gevent.spawn(ask, interpreters, hanging, tmp_path)
    eventually(begun.exists)
    with gevent.Timeout(20):
        assert ask(interpreters, sys.executable, tmp_path).has_celery
    assert not asking.ready()
    asking.kill()


def test_who_waited_for_a_failure_asks_anew(
    interpreters: Interpreters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.2)
    python = program(tmp_path / "python", "exec sleep 60")
    asking = [gevent.spawn(ask, interpreters, python, tmp_path) for _ in range(3)]
    gevent.joinall(asking, timeout=20)
    assert all(isinstance(each.exception, WorkerStartFailed) for each in asking)
