"""What a shell is told that may follow."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from cyme.cli.completing import TIMEOUT_S
from cyme.client.calls import Calls
from cyme.client.messages import Reply
from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.testing import WALL_S
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli

Complete = Callable[[str], list[str]]


@pytest.fixture
def complete(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """Return what tells the completions of a command line."""

    def completions(line: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        monkeypatch.setenv("_CYME_COMPLETE", "bash_complete")
        ran = cli()
        monkeypatch.delenv("_CYME_COMPLETE")
        assert not ran.err
        return [each.removeprefix("plain,") for each in ran.lines if each]

    return completions


@pytest.fixture
def shop(branch: FakeBranch, url: str) -> None:
    for path in ("/shop/", "/blog/", "/shop/instances/w1/", "/blog/instances/w2/",
                 "/shop/queues/orders/"):  # fmt: skip
        branch.client.simulate_put(path)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("cyme restart-", ["restart-all"]),
        ("cyme get b", ["branch", "branches"]),
        ("cyme get instances ", ["w1", "w2"]),
        ("cyme get instances w1 ", ["w2"]),
        ("cyme get instance/w", ["instance/w1", "instance/w2"]),
        ("cyme -a shop get i ", ["w1"]),
        ("cyme get i -a ", ["blog", "shop"]),
        ("cyme describe queue ", ["orders"]),
        ("cyme logs w", ["w1", "w2"]),
        ("cyme move w1 ", ["branch1"]),
        ("cyme scale ", ["blog", "shop"]),
        ("cyme queue shop ", ["orders"]),
        ("cyme instances ad", ["add"]),
        ("cyme get -o ", ["table", "wide", "json", "yaml", "name", "jsonpath="]),
        ("cyme get -o j", ["json", "jsonpath="]),
        ("cyme get i --state un", ["unknown", "unresponsive"]),
        ("cyme get i --queue ", ["orders"]),
        ("cyme -a shop instances.a", ["instances.add", "instances.autoscale"]),
        ("cyme apply.", []),
        ("cyme get --sel", ["--selector"]),
        ("cyme get nothing ", []),
        ("cyme completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_completes(line: str, found: list[str], complete: Complete) -> None:
    assert complete(line) == found


def test_what_a_shell_would_obey_is_not_offered(
    branch: FakeBranch, url: str, complete: Complete
) -> None:
    del url
    branch.client.simulate_put("/shop/instances/w1/?branch=branch1")
    branch.service.telemetry.collecting.judge()
    broker = branch.service.app("shop").spec.broker
    assert broker is not None
    harm = ("x;touch y", "$(touch y)", "`touch y`", "x\nplain,z", "\x1b[2J", "-x", "a b", "*")
    for uuid in (*harm, "0d5f-1"):
        branch.listeners.tell(broker, TaskEvent(TaskDeed.RECEIVED, uuid, "w1@branch1", WALL_S))
    assert complete("cyme describe task ") == ["0d5f-1"]


def test_a_branch_that_is_away_is_no_error(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_URL", "http://127.0.0.1:1")
    assert complete("cyme get instances ") == []
    assert complete("cyme --context ") == []


def test_nobody_waits_long_for_a_tab(complete: Complete, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []
    ask = Calls.ask

    def seen(self: Calls, *words: Any, **options: Any) -> Reply:
        asked.append(self.timeout_s)
        return ask(self, *words, **options)

    monkeypatch.setattr(Calls, "ask", seen)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CYME_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert complete("cyme --timeout 60 get instances ") == []
    assert asked == [TIMEOUT_S]


def test_contexts_are_completed(cli: Cli, complete: Complete) -> None:
    cli("context", "set", "prod", "http://x:1")
    assert complete("cyme context use p") == ["prod"]
    assert complete("cyme --context p") == ["prod"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_what_makes_a_shell_complete(shell: str, cli: Cli) -> None:
    assert "_CYME_COMPLETE" in cli("completion", shell).out
    assert "tcsh" in cli("completion", "tcsh", code=2).err
