from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cyme
from cyme.settings import TABLE
from tests.programs.running import environment, refused, run

ROOT = Path(__file__).parents[2]
HELP_S_MAX = 0.3
HELP_TRIES = 3


def test_the_help_names_every_setting(home: Path) -> None:
    done = run(home, "--help")
    assert done.returncode == 0
    for row in TABLE:
        for flag in (row.flag, *row.aliases, row.short and f"-{row.short},"):
            assert flag in done.stdout
    assert "Examples:" in done.stdout
    assert "curl -X PUT http://localhost:8000/foo/instances/" in done.stdout
    assert not re.search(r"default: \W*\]", done.stdout), "each default is told in words"


def test_the_help_comes_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Processor time, because others use this machine too; the quickest try is what it takes.
    # Nobody who asks for help measures coverage, which costs as much again.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    took_s = min(_processor_s(home, "--help") for _ in range(HELP_TRIES))
    assert took_s < HELP_S_MAX


def _processor_s(home: Path, *arguments: str) -> float:
    before = os.times()
    run(home, *arguments)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--sup-interval", "x"]])
def test_what_only_prints_loads_nothing_heavy(home: Path, arguments: list[str]) -> None:
    script = (
        "import sys, atexit\n"
        f"sys.argv = ['cyme-branch', *{arguments!r}]\n"
        "atexit.register(lambda: print(sorted({'celery', 'peewee', 'falcon', 'kombu', 'redis'}\n"
        "    & set(sys.modules)), file=sys.stderr))\n"
        "from cyme.programs.branch import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


def test_the_version_is_the_package_s(home: Path) -> None:
    assert run(home, "--version").stdout.startswith(f"cyme-branch {cyme.__version__} ")


@pytest.mark.parametrize("script", ["bin/cyme-branch"])
def test_it_runs_from_a_checkout(home: Path, script: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / script, "--version"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"cyme-branch {cyme.__version__} "), done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sup-intervall", "3"], ["No such option", "--sup-interval"]),
        (["--sup-interval", "soon"], ["--sup-interval: 'soon' is not a number of seconds"]),
        (["--sup-interval"], ["requires an argument"]),
        (["--broker", "--detach"], ["a value is missing before '--detach'"]),
        (["--broker", "localhost"], ["--broker: it is not a URL", "amqp://"]),
        (["--loglevel", "loud"], ["--loglevel: 'loud' is not a log level"]),
        (["--id", "../x"], ["--id: '../x' is not a name"]),
        (["--uid", "nobody-here"], ["--uid: there is no user 'nobody-here'"]),
        (["--uid", "4294967295"], ["--uid: '4294967295' is no number of an account"]),
        (["--gid", "9" * 5000], ["--gid: '999", "is no number of an account"]),
        (["--umask", "9"], ["--umask: '9' is not a file mode mask"]),
        (["--config", "missing.toml"], ["missing.toml cannot be read: No such file"]),
        (["--restarts-max", "-1"], ["--restarts-max: '-1' is not a whole number"]),
        (["--workdir", "missing"], ["--workdir: cannot change to missing"]),
        (["--tls-cert", "missing.pem"], ["missing.pem", "No such file"]),
        (["--tls-key", "key.pem"], ["--tls-key: it needs the certificate too"]),
        ([":8001", ":8002"], ["unexpected extra argument"]),
        (["nonsense"], ["'nonsense' is not an address; write it as :8000"]),
        (["--db", "oracle://host/x"], ["--db: it is not the URL of a database"]),
    ],
)
def test_a_bad_command_line_is_refused(home: Path, arguments: list[str], words: list[str]) -> None:
    refused(run(home, *arguments), 2, *words)


def test_a_bad_variable_is_refused(home: Path) -> None:
    done = run(home, variables={"CYME_STOP_TIMEOUT": "1m"})
    refused(done, 2, "CYME_STOP_TIMEOUT: '1m' is not a number of seconds")


def test_a_bad_settings_file_is_refused(home: Path) -> None:
    (home / "cyme.toml").write_text("brokr = 'amqp://user:hushhush@host//'")
    done = run(home)
    refused(done, 2, "no setting 'brokr'", "Did you mean 'broker'?")
    assert "hushhush" not in done.stderr
    (home / "cyme.toml").write_text("sup-interval = = 3")
    refused(run(home), 2, "cyme.toml is not TOML", "line 1")


def test_the_commands_have_help_of_their_own(home: Path) -> None:
    for command in ("token", "broker"):
        done = run(home, command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"Usage: cyme-branch {command} ")


def test_it_asks_whether_the_embedded_broker_runs(home: Path) -> None:
    done = run(home, "broker", "status", "--state-dir", "state")
    assert done.returncode == 3
    assert "does not run" in done.stdout
    assert run(home, "broker", "stop", "--state-dir", "state").returncode == 0
