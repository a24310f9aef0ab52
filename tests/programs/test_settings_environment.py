from __future__ import annotations

import os
from pathlib import Path

import pytest

from cyme.settings import (
    Settings,
    forget_secrets,
    read_settings,
    shared_dir,
    take_home_of,
    take_notify_socket,
    worker_environment,
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process an environment of its own, whatever a test does with it."""
    for name in list(os.environ):
        if name.startswith(("CYME_", "XDG_", "NOTIFY_", "WATCHDOG_")):
            monkeypatch.delenv(name)
    for name in ("HOME", "USER", "LOGNAME", "CYME_BROKER", "CYME_DB", "NOTIFY_SOCKET"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def test_secrets_are_read_and_then_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYME_BROKER", "amqp://user:hushhush@host//")
    monkeypatch.setenv("CYME_DB", "mysql://user:hushhush@host/cyme")
    monkeypatch.setenv("CYME_CLUSTER", "one")
    loaded = read_settings({}, None)
    assert loaded.settings.broker == "amqp://user:hushhush@host//"
    forget_secrets()
    inherited = worker_environment()
    assert "hushhush" not in str(inherited)
    assert inherited["CYME_CLUSTER"] == "one"


def test_what_branches_share_is_in_the_state_directory_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert shared_dir(Settings()) == Path("/home/somebody/.local/state/cyme")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert shared_dir(Settings()) == Path("/home/somebody/.local/state/cyme")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert shared_dir(Settings()) == Path("/state/cyme")
    assert shared_dir(Settings(state_dir=Path("here"))) == Path.cwd() / "here"


def test_the_home_of_another_user_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    take_home_of(0)
    assert (os.environ["HOME"], os.environ["USER"]) == ("/root", "root")
    assert "XDG_STATE_HOME" not in os.environ
    take_home_of(54321)
    assert "HOME" not in os.environ


def test_the_service_manager_is_for_this_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    assert take_notify_socket() == ("/run/notify", 1.5)
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys()
    assert take_notify_socket() == ("", None)
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert take_notify_socket() == ("", None)
