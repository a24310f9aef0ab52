"""The command at a real terminal: live screens, questions, bars and completion."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.branch import OPERATOR, FakeBranch
from tests.cli.conftest import served
from tests.system.branches import Branch
from tests.system.conftest import StartBranch
from tests.system.terminal import Terminal, program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FLEET = """
[apps.shop]
[apps.shop.queues.orders]
[apps.shop.instances.w1]
queues = ["orders"]
"""


@pytest.fixture(autouse=True)
def _tmux() -> None:
    program("tmux")


@pytest.fixture
def branch() -> Iterator[FakeBranch]:
    """A branch over fakes, which is there at once."""
    branch = FakeBranch()
    yield branch
    branch.stop()


def test_applies_watches_follows_and_asks(start_branch: StartBranch, room: Path) -> None:
    branch = start_branch()
    (room / "fleet.toml").write_text(FLEET)
    with Terminal(room) as terminal:
        apply_is_asked(terminal, branch)
        a_wait_shows_a_bar(terminal, branch)
        top_is_live(terminal)
        logs_are_followed(terminal, branch)
        watching_ends_cleanly(terminal)
        deletion_is_asked(terminal, branch)


def apply_is_asked(terminal: Terminal, branch: Branch) -> None:
    terminal.clear()
    terminal.type("cyme apply -f fleet.toml --wait", "Enter")
    screen = terminal.wait_for("Do that? [y/N]")
    assert "+ create instance shop/w1" in screen
    assert "3 to create." in screen
    assert "\x1b[32m+ create app shop" in terminal.screen(coloured=True)
    terminal.type("n", "Enter")
    terminal.wait_for("Nothing was done.")
    assert branch.get("/") == []
    terminal.clear()
    terminal.type("cyme apply -f fleet.toml", "Enter")
    terminal.wait_for("Do that? [y/N]")
    terminal.type("y", "Enter")
    terminal.wait_for("3 changes are made.")
    assert "Nothing changes" in terminal.run("cyme apply -f fleet.toml")


def a_wait_shows_a_bar(terminal: Terminal, branch: Branch) -> None:
    branch.running("shop", "w1")
    terminal.clear()
    terminal.type("cyme restart w1 --wait; echo code=$?", "Enter")
    terminal.wait_for("0/1")
    screen = terminal.wait_for("code=0")
    assert "w1: running: it answers" in screen
    assert "0/1" not in screen  # the bar goes when it is done


def top_is_live(terminal: Terminal) -> None:
    terminal.clear()
    terminal.type("cyme top --delay 0.5", "Enter")
    # A screen may be seen while it is drawn.
    screen = terminal.wait_for(re.compile(r"^orders .*^w1 .* running ", re.MULTILINE | re.DOTALL))
    assert screen.startswith("cyme default by branch1")
    assert "INSTANCE" in screen
    assert "REASON" not in screen
    terminal.resize(120, 40)
    terminal.wait_for("REASON")
    terminal.type("?")
    terminal.wait_for("PgUp")
    terminal.type(" ")
    terminal.wait_for("PAUSED")
    terminal.resize(80, 24)
    terminal.wait_for(lambda screen: "REASON" not in screen)
    terminal.type("q")
    screen = terminal.wait_for("ready>")
    assert "INSTANCE" not in screen  # what was there before is there again
    assert "code=0" in terminal.run("true")


def logs_are_followed(terminal: Terminal, branch: Branch) -> None:
    terminal.clear()
    terminal.type("cyme logs -a shop -f --tail 1", "Enter")
    terminal.wait_for("w1 |")
    branch.ask("GET", f"/shop/queue/orders/{branch.url}/ping/")
    terminal.wait_for("succeeded")
    assert "\x1b[36mw1 |" in terminal.screen(coloured=True)
    assert "code=130" in terminal.interrupt()


def watching_ends_cleanly(terminal: Terminal) -> None:
    terminal.clear()
    terminal.type("cyme events -w", "Enter")
    terminal.wait_for("instance.")
    screen = terminal.interrupt()
    assert "code=130" in screen
    assert "Traceback" not in screen


def deletion_is_asked(terminal: Terminal, branch: Branch) -> None:
    terminal.clear()
    terminal.type("cyme delete instance w1", "Enter")
    terminal.wait_for("Delete the instance w1? [y/N]")
    terminal.type("", "Enter")
    terminal.wait_for("Nothing was done.")
    assert branch.get("/instances/") == ["w1"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_tab_completes_commands_types_and_names(
    shell: str, branch: FakeBranch, room: Path
) -> None:
    branch.client.simulate_put("/shop/")
    branch.client.simulate_put("/shop/instances/nightly/")
    with (
        served(branch.app) as url,
        Terminal(room, shell, variables={"CYME_URL": url}) as terminal,
    ):
        terminal.type("cyme desc", "Tab")
        terminal.wait_for("cyme describe")
        terminal.type("branc", "Tab")
        terminal.wait_for("cyme describe branch")
        terminal.clear()
        terminal.type("cyme describe instance ni", "Tab")
        terminal.wait_for("instance nightly")
        terminal.clear()
        terminal.type("cyme res", "Tab")
        terminal.wait_for("cyme restart")
        terminal.type("", "Tab", "Tab")
        terminal.wait_for("restart-all")


def test_a_token_is_asked_for_without_echo(branch: FakeBranch, room: Path) -> None:
    token = OPERATOR["Authorization"].removeprefix("Bearer ")
    with served(branch.closed_app) as url, Terminal(room) as terminal:
        terminal.type(f"cyme login {url}", "Enter")
        terminal.wait_for("Token for")
        terminal.type(token, "Enter")
        screen = terminal.wait_for("used from now on")
        assert token not in screen.replace("\n", "")
        config = room / ".config" / "cyme" / "config.toml"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert token in config.read_text()
        assert "the context 'default'" in terminal.run("cyme context show")
