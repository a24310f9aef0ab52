"""The command itself: what it loads, how it finds what it is asked for, what it says of itself."""

from __future__ import annotations

import importlib
import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cyme.cli import session
from cyme.cli.catalogue import ENTRIES, NAMES
from cyme.cli.exits import MEANINGS, Exit
from cyme.cli.faults import did_you_mean
from cyme.cli.root import root
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli

#: What the overview and a read must not load, for they load long.
HEAVY = {"gevent", "peewee", "celery", "kombu", "zmq", "falcon", "msgspec", "rich", "psutil"}
#: It takes 3 to 4 times as long as Python that does nothing; anything heavy makes that 10.
HELP_TIMES_MAX = 7


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", ENTRIES)
def test_every_command_is_where_the_catalogue_says(name: str) -> None:
    module, _, attribute = ENTRIES[name].where.partition(":")
    command = getattr(
        importlib.import_module(f"cyme.cli.commands.{module}"), attribute or "command"
    )
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help
    assert ENTRIES[name].summary.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_help(name: str, cli: Cli) -> None:
    ran = cli(name, "--help")
    assert ran.out.startswith("Usage: cyme ")
    assert not ran.err


def test_the_overview_loads_no_command_and_nothing_heavy() -> None:
    loaded = python(
        "import sys; sys.argv = ['cyme', '--help']\n"
        "from cyme.cli.main import run\n"
        "assert run(['--help']) == 0\n"
        "print('LOADED', *sorted(sys.modules))"
    ).split("LOADED")[1]
    names = set(loaded.split())
    assert not {name for name in names if name.startswith("cyme.cli.commands.")}
    assert not {name for name in names if name.startswith(("cyme.client", "http.client"))}
    assert not names & HEAVY


def test_a_read_loads_nothing_heavy() -> None:
    loaded = python(
        "import sys\n"
        "from cyme.cli.main import run\n"
        "run(['--url', 'http://127.0.0.1:1', 'get', 'instances'])\n"
        "print(*sorted(sys.modules))"
    )
    assert not set(loaded.split()) & HEAVY


def test_the_overview_comes_fast() -> None:
    """Compared with Python itself, and by processor time, for machines and their loads differ."""

    def took_s(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    python_s = min(took_s("-c", "pass") for _ in range(3))
    help_s = min(took_s("-m", "cyme.cli", "--help") for _ in range(3))
    assert help_s < python_s * HELP_TIMES_MAX, (help_s, python_s)


def test_the_overview_names_every_command_and_every_exit_code(cli: Cli) -> None:
    out = cli("--help").out
    assert all(f"  {name}" in out for name in ENTRIES)
    assert all(f"  {int(code)} " in out for code in Exit)
    assert set(MEANINGS) == set(Exit)
    assert cli().out == out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["gte", "instances"], "Did you mean 'get'?"),
        (["isntances"], "Did you mean 'instances'?"),
        (["instances.ad", "w1"], "Did you mean 'add'?"),
        (["instances", "delte", "w1"], "Did you mean 'delete'?"),
        (["get", "instnces"], "Did you mean 'instances'?"),
        (["get", "instances", "--outptu", "json"], "Did you mean '--output'?"),
        (["get", "instances", "-o", "jsn"], "Did you mean 'json'?"),
    ],
)
def test_suggests_what_was_meant(words: list[str], hint: str, cli: Cli, url: str) -> None:
    ran = cli(*words, code=Exit.USAGE)
    assert hint in ran.err
    assert not ran.out


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("i", "instances"), ("APPS", "apps"), ("isntances", "instances"), ("x", ""), ("", "")],
)
def test_a_beginning_suggests_what_begins_so(wrong: str, meant: str) -> None:
    told = f" Did you mean {meant!r}?" if meant else ""
    assert did_you_mean(wrong, ["apps", "instances"]) == told


def test_a_verb_has_no_dots(cli: Cli) -> None:
    assert "'get' has no 'instances'" in cli("get.instances", code=2).err


def test_completes_commands_without_loading_them() -> None:
    completions = python(
        "import os, sys\n"
        "os.environ.update(COMP_WORDS='cyme res', COMP_CWORD='1', _CYME_COMPLETE='bash_complete')\n"
        "from cyme.cli.main import run\n"
        "run([])\n"
        "assert not [name for name in sys.modules if name.startswith('cyme.cli.commands.')]"
    )
    assert completions.split() == ["plain,restart", "plain,restart-all"]


def test_tells_its_version(cli: Cli) -> None:
    assert cli("--version").out.startswith("cyme ")
    assert root.name == "cyme"


def test_an_error_that_nobody_foresaw_is_a_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_self: object) -> None:
        raise RuntimeError("\x1b[2Jboom")

    monkeypatch.setattr(session.Session, "close", fails)
    ran = cli("version", "--client", code=1)
    assert "This should not have happened: RuntimeError: \\x1b[2Jboom." in ran.err
    assert "Traceback" not in ran.err
    monkeypatch.setenv("CYME_DEBUG", "1")
    with pytest.raises(RuntimeError):
        cli("version", "--client")


def test_requests_are_logged_where_that_is_wanted(
    branch: FakeBranch, url: str, tmp_path: Path
) -> None:
    branch.client.simulate_put("/shop/")

    def logged(*words: str) -> str:
        command = [sys.executable, "-m", "cyme.cli", *words, "-f", "log.txt", "get", "apps"]
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, timeout=60)
        return (tmp_path / "log.txt").read_text()

    assert logged() == ""
    assert f"DEBUG cyme.client.calls: GET /: 200 from {url} after " in logged("-l", "DEBUG")
