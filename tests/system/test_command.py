"""A story at the command line: two branches, workers, tasks, and a look at all of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cyme.cli.exits import Exit
from cyme.cli.main import run
from tests.system.branches import Branch, clean_environment
from tests.system.conftest import StartBranch
from tests.system.target import Target
from tests.waiting import eventually

pytestmark = pytest.mark.slow

COMMAND_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Ran:
    """What a command printed and returned."""

    code: int
    out: str
    err: str


class Cyme:
    """Runs the command in this process: thirty processes would take most of the test's time."""

    def __call__(self, *arguments: str, code: int | None = 0) -> Ran:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            returned = run(arguments)
        ran = Ran(returned, out.getvalue(), err.getvalue())
        assert code is None or ran.code == code, (arguments, ran)
        assert "\x1b" not in ran.out + ran.err
        return ran

    def data(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json").out)


@pytest.fixture(autouse=True)
def _as_the_user_of_the_branches(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(clean_environment(room)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(room))
    monkeypatch.setenv("CYME_STATE_DIR", str(room / "state"))
    monkeypatch.chdir(room)


@pytest.mark.timeout(240)
def test_a_user_runs_workers_on_two_branches(
    start_branch: StartBranch, room: Path, target: Target
) -> None:
    one, two = start_branch(name="branch1"), start_branch(name="branch2")
    cyme = Cyme()
    eventually(lambda: cyme("get", "branches").out.count("alive") == 2, 30.0)
    shown = cyme("context", "show").out
    assert f"branch   {one.url}, {two.url}" in shown
    assert one.admin_token not in shown
    # What chooses code takes an administrator, whose token is found.
    cyme("create", "app", "shop", f"workdir={room}")
    cyme("create", "queue", "orders", "-a", "shop")
    cyme("create", "instance", "w1", "-a", "shop", "-q", "orders", "--branch", "branch1", "--wait")
    tasks(cyme, target)
    placement(cyme)
    figures(cyme)
    tokens(cyme, one, two)
    a_process_of_its_own_finds_the_branch_too(room)
    offline(cyme, one, two)
    offline_secrets(room, one)


def tasks(cyme: Cyme, target: Target) -> None:
    """A URL is queued, and its answer and the worker's log are seen."""
    ran = cyme("queue", "shop", "orders", f"{target.url}/import?a=1", "-d", "b=2", "--wait")
    assert ran.err.splitlines()[1].startswith("200 ")
    task = ran.err.split("task ")[1].split(".")[0]
    assert cyme.data("wait", "task", task, "-a", "shop")["state"] == "SUCCESS"
    eventually(lambda: task in cyme("logs", "w1").out)
    eventually(lambda: task in cyme("get", "tasks", "-o", "name").out)


def placement(cyme: Cyme) -> None:
    """Instances are scaled, moved and restarted, and their logs are read over any branch."""
    cyme("move", "w1", "branch2")
    assert cyme.data("get", "instance", "w1")["branch"] == "branch2"
    cyme("autoscale", "w1", "2", "1")
    cyme("scale", "shop", "2", "--wait")
    names = cyme("get", "instances", "-o", "name").out.split()
    assert names == ["instance/shop-1", "instance/w1"]
    marks = {line.split(" |")[0].strip() for line in cyme("logs", "-a", "shop").out.splitlines()}
    assert marks == {"shop-1", "w1"}
    cyme("scale", "shop", "1", "--wait", "--yes")
    [name] = cyme("get", "instances", "-o", "name").out.split()
    before = cyme.data("get", name)["pids"][0]
    cyme("restart", name, "--wait")
    assert cyme.data("get", name)["pids"][0] != before
    kinds = [event["kind"] for event in cyme.data("events", "-i", name.split("/")[1])["items"]]
    assert "instance.created" in kinds


def figures(cyme: Cyme) -> None:
    """All is well, and seen so in every way."""

    def well() -> Ran | None:
        ran = cyme("status", code=None)
        return ran if ran.code == 0 else None

    # Branches of a busy machine may be suspect for a moment.
    assert "All is well." in eventually(well, 30.0).out
    eventually(lambda: "orders" in cyme("top").out)
    exported = cyme("export", "--env-file", "fleet.env", "-f", "fleet.toml")
    assert "fleet.toml is written." in exported.err


def tokens(cyme: Cyme, *branches: Branch) -> None:
    """One token, as Prometheus wants it, that every branch knows."""
    token = cyme("token", "create", "prometheus", "-r", "viewer", "--all-branches").out.strip()
    for branch in branches:
        known = {
            each["name"] for each in cyme.data("token", "list", "--branch", branch.name)["items"]
        }
        assert "prometheus" in known
    assert cyme("token", "create", "prometheus", "--all-branches", code=Exit.CONFLICT).out == ""
    cyme("token", "revoke", "prometheus", "--all-branches", "--yes")
    assert token.startswith("cyme_")


def a_process_of_its_own_finds_the_branch_too(room: Path) -> None:
    done = process(room, "get", "apps", "-o", "name")
    assert (done.returncode, done.stdout, done.stderr) == (0, "app/shop\n", "")


def process(room: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cyme.cli", *words],
        env={**clean_environment(room), "CYME_STATE_DIR": str(room / "state")},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
    )


def offline(cyme: Cyme, one: Branch, two: Branch) -> None:
    """The other branch answers where one is away; its directory is read without it."""
    one.stop()
    assert [row["name"] for row in cyme.data("get", "apps")["items"]] == ["shop"]
    local = ("-L", "-D", str(one.directory))
    assert cyme(*local, "-F", "json", "apps").out == '["shop"]\n'
    assert cyme.data(*local, "get", "branches")["items"][0]["state"] == "left"
    assert "is fenced" not in cyme(*local, "status", code=None).out
    two.stop()
    cyme("get", "apps", code=6)


def offline_secrets(room: Path, branch: Branch) -> None:
    """What is told of the work on a directory holds no password."""
    words = ("-L", "-D", str(branch.directory), "-l", "DEBUG")
    done = process(room, *words, "set", "app", "shop", "broker=redis://:never-told@h:1/2")
    assert done.returncode == 0
    assert " INFO cyme." in done.stderr
    assert "never-told" not in done.stdout + done.stderr
