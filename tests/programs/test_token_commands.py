from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.programs.running import Program, refused, run
from tests.waiting import eventually


@pytest.fixture
def directory(home: Path) -> Path:
    path = home / "branch"
    path.mkdir(mode=0o700)
    return path


def test_a_token_is_made_shown_once_listed_and_revoked(home: Path, directory: Path) -> None:
    made = run(home, "token", "create", "deploy", "--role", "viewer", "-D", "branch")
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert re.fullmatch(r"cyme_v_[A-Za-z0-9_-]{43}", token)
    assert token not in made.stderr
    assert "not shown again" in made.stderr

    file = directory / "tokens.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert token not in file.read_text()

    listed = run(home, "token", "list", "-D", "branch").stdout
    assert re.search(r"^deploy +viewer +\d{4}-\d\d-\d\d \d\d:\d\dZ$", listed, re.MULTILINE)
    assert token not in listed

    assert run(home, "token", "revoke", "deploy", "-D", "branch").returncode == 0
    assert "deploy" not in run(home, "token", "list", "-D", "branch").stdout


def test_the_directory_may_come_from_the_environment(home: Path, directory: Path) -> None:
    done = run(home, "token", "create", "x", variables={"CYME_INSTANCE_DIR": "branch"})
    assert done.stdout.startswith("cyme_o_")
    assert (directory / "tokens.json").exists()


def test_what_cannot_be_done_is_told(home: Path, directory: Path) -> None:
    run(home, "token", "create", "x", "-D", "branch")
    refused(run(home, "token", "create", "x", "-D", "branch"), 1, "already")
    refused(run(home, "token", "create", "../x", "-D", "branch"), 1, "not a name")
    refused(run(home, "token", "create", "y", "-r", "king", "-D", "branch"), 2, "viewer")
    refused(run(home, "token", "revoke", "nobody", "-D", "branch"), 1, "no token named 'nobody'")
    refused(run(home, "token", "list", "-D", "elsewhere"), 3, "no branch directory", "-D")
    refused(run(home, "token", "create"), 2, "Missing argument 'NAME'")


def test_a_running_branch_takes_up_new_and_revoked_tokens(program: Program) -> None:
    program.start("--require-token")
    made = run(program.home, "token", "create", "watch", "-r", "viewer", "-D", "branch")
    token = made.stdout.strip()
    eventually(lambda: program.get("/", token) == 200)
    run(program.home, "token", "revoke", "watch", "-D", "branch")
    eventually(lambda: program.get("/", token) == 401)
