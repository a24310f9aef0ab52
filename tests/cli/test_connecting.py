"""Which branch the command talks to, with which token, and what it says where it cannot."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cyme.cli.contexts import Config, Context, read_config, write_config
from cyme.cli.exits import Exit
from cyme.cli.faults import told
from cyme.client.errors import ConnectionFailed
from cyme.programs.registry import Registration, RunningBranch, start_mark
from tests.api.branch import ADMIN, OPERATOR, VIEWER, FakeBranch
from tests.cli.conftest import Cli, served

OPERATOR_TOKEN = OPERATOR["Authorization"].removeprefix("Bearer ")
VIEWER_TOKEN = VIEWER["Authorization"].removeprefix("Bearer ")
ADMIN_TOKEN = ADMIN["Authorization"].removeprefix("Bearer ")


def shown(cli: Cli, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli(*words, "context", "show", "-o", "json").out)
    return found


def register(
    tmp_path: Path,
    url: str,
    *,
    id_: str = "b1",
    token: str | None = ADMIN_TOKEN,
    cluster: str = "default",
) -> None:
    directory = tmp_path / id_
    directory.mkdir()
    if token is not None:
        (directory / "admin.token").write_text(f"{token}\n")
    running = RunningBranch(
        id=id_, url=url, directory=str(directory), pid=os.getpid(),
        started=start_mark(os.getpid()), cluster=cluster,
    )  # fmt: skip
    Registration(tmp_path / "state", running).write()


def test_it_is_the_usual_address_where_nothing_is_known(cli: Cli) -> None:
    found = shown(cli)
    assert found["urls"] == ["http://127.0.0.1:8000"]
    assert found["token_from"] is None
    assert "no branch of this user runs" in str(found["why"])


def test_says_how_to_get_a_branch_where_none_is_at_the_usual_address(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    cli("--url", url, "status", code=Exit.UNREACHABLE)
    monkeypatch.setattr("cyme.client.addresses.DEFAULT_URL", url)
    ran = cli("--url", url, "status", code=Exit.UNREACHABLE)
    assert "'cyme-branch :8000' starts one; --url or CYME_URL names" in ran.err


def test_finds_a_branch_on_this_machine_and_its_token(
    cli: Cli, branch: FakeBranch, tmp_path: Path
) -> None:
    with served(branch.closed_app) as url:
        register(tmp_path, url)
        found = shown(cli)
        assert found["urls"] == [url]
        assert found["token_from"] == str(tmp_path / "b1" / "admin.token")
        out = cli("context", "show").out
        assert "the branch 'b1' runs on this machine" in out
        assert ADMIN_TOKEN not in out
        cli("create", "app", "shop", "celery_app=x")  # which takes an administrator
        named = url.replace("127.0.0.1", "localhost")
        assert cli("--url", named, "get", "apps", "-o", "name").out == "app/shop\n"


def test_another_cluster_on_this_machine_is_another(cli: Cli, tmp_path: Path) -> None:
    for id_, port, cluster in (("b1", 1, "one"), ("b2", 2, "two"), ("b3", 3, "one")):
        register(tmp_path, f"http://127.0.0.1:{port}", id_=id_, cluster=cluster)
    found = shown(cli)
    assert found["urls"] == ["http://127.0.0.1:1", "http://127.0.0.1:3"]
    assert "the first of 3" in str(found["why"])


def test_a_token_is_sent_to_nobody_else(cli: Cli, branch: FakeBranch, tmp_path: Path) -> None:
    register(tmp_path, "http://127.0.0.1:1")
    with served(branch.closed_app) as url:
        assert shown(cli, "--url", url)["token_from"] is None
        cli("--url", url, "get", "apps", code=Exit.NOT_ALLOWED)


def test_url_beats_context_beats_variable_beats_this_machine(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tmp_path, "http://127.0.0.1:1")
    cli("context", "set", "prod", "https://a:8443", "https://b:8443", "--app", "shop")
    assert shown(cli)["urls"] == ["http://127.0.0.1:1"]
    cli("context", "use", "prod")
    assert shown(cli) == {
        "context": "prod", "urls": ["https://a:8443", "https://b:8443"],
        "why": "it is the context 'prod', which 'cyme context use' names",
        "token_from": None, "ca": None, "app": "shop",
    }  # fmt: skip
    monkeypatch.setenv("CYME_CA", "/etc/ca.pem")
    monkeypatch.setenv("CYME_APP", "blog")
    assert (shown(cli)["ca"], shown(cli)["app"]) == ("/etc/ca.pem", "blog")
    cli("context", "set", "prod", "https://a:8443", "--ca", "/srv/ca.pem")
    assert shown(cli)["ca"] == "/etc/ca.pem"
    monkeypatch.delenv("CYME_CA")
    assert shown(cli)["ca"] == "/srv/ca.pem"
    monkeypatch.setenv("CYME_URL", "c:1,d:2")
    assert shown(cli)["urls"] == ["http://c:1", "http://d:2"]
    assert shown(cli, "--context", "prod")["context"] == "prod"
    assert shown(cli, "--url", "e")["urls"] == ["http://e"]
    monkeypatch.delenv("CYME_URL")
    monkeypatch.setenv("CYME_CONTEXT", "nope")
    assert "There is no context named 'nope'." in cli("context", "show", code=3).err
    monkeypatch.delenv("CYME_CONTEXT")
    cli("context", "none")
    assert shown(cli)["urls"] == ["http://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--url", "a", "--context", "b"], "not both"),
        (["--url", "ftp://a"], "is no URL of a branch"),
        (["--url", "http://me:pw@a"], "holds no user and no password; 'cyme login' keeps a token"),
    ],
)
def test_what_cannot_be_talked_to_is_told(words: list[str], hint: str, cli: Cli) -> None:
    ran = cli(*words, "get", "apps", code=Exit.USAGE)
    assert hint in ran.err
    assert "pw" not in ran.err.replace("password", "")


def test_a_port_alone_is_one_of_this_machine(cli: Cli) -> None:
    assert shown(cli, "--url", ":8001")["urls"] == ["http://127.0.0.1:8001"]


def test_a_token_that_is_not_accepted_is_told_with_where_to_look(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_TOKEN", "cyme_o_nobody")
    ran = cli("get", "apps", code=Exit.NOT_ALLOWED)
    assert "'cyme context show' tells where it is from" in ran.err
    assert shown(cli)["token_from"] == "CYME_TOKEN"


def test_a_token_that_is_asked_for_can_be_kept(
    cli: Cli, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(branch.closed_app) as closed:
        monkeypatch.setenv("CYME_URL", closed)
        assert "'cyme login' keeps one" in cli("get", "apps", code=Exit.NOT_ALLOWED).err


def test_a_branch_of_http_is_told_from_one_that_is_away(cli: Cli, url: str) -> None:
    ran = cli("--url", url.replace("http", "https"), "get", "apps", code=Exit.UNREACHABLE)
    assert "wrong version number. Does it speak https, or http?" in ran.err


def test_contexts_are_kept_for_their_owner_alone(cli: Cli, tmp_path: Path) -> None:
    cli("context", "set", "a b", "http://x", code=2)
    cli("context", "set", "prod", "http://x:1", "--use")
    path = tmp_path / ".config" / "cyme" / "config.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert cli("context", "list").out.split()[:4] == ["NAME", "URLS", "TOKEN", "APP"]
    assert "*  prod" in cli("context", "list").out
    assert "Did you mean 'prod'?" in cli("context", "use", "prd", code=3).err
    cli("context", "delete", "prod")
    assert cli("context", "list", "-o", "name").out == ""
    assert read_config(path) == Config()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / ".config" / "cyme" / "config.toml"
    write_config(Config("x", {"x": Context(("http://x",), token="t")}), path)
    path.chmod(0o644)
    assert "chmod 600" in cli("get", "apps", code=2).err
    path.chmod(0o600)
    path.write_text("current = 3")
    assert "'current' is no text" in cli("get", "apps", code=2).err
    path.write_text("[contexts.x]\nurl = 'http://x'")
    assert "'url' of the context 'x' is not known" in cli("get", "apps", code=2).err
    path.write_text("= =")
    assert "cannot be understood" in cli("get", "apps", code=2).err


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    config = Config(
        'odd."name',
        {
            'odd."name': Context(("http://x:1",), token="t\\\"'\x7f", ca="/ä 👋", app="shop"),
            "plain": Context(("http://y",)),
        },
    )
    write_config(config, tmp_path / "c" / "config.toml")
    assert read_config(tmp_path / "c" / "config.toml") == config


def test_login_tries_and_keeps_a_token(
    cli: Cli, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(branch.closed_app) as url:
        monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
        ran = cli("login", url, "--token-stdin", code=Exit.NOT_ALLOWED)
        assert "wrong" not in ran.err
        assert not read_config().contexts
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{OPERATOR_TOKEN}\n"))
        ran = cli("login", "--context", "prod", url, "--token-stdin")
        assert OPERATOR_TOKEN not in ran.err + ran.out
        assert "as the context prod" in ran.err
        cli("create", "app", "shop")
        assert OPERATOR_TOKEN not in cli("context", "show").out
        assert OPERATOR_TOKEN not in cli("context", "list", "-o", "json").out
        monkeypatch.setenv("CYME_TOKEN", VIEWER_TOKEN)
        cli("delete", "app", "shop", "--yes", code=Exit.NOT_ALLOWED)
        monkeypatch.delenv("CYME_TOKEN")
        cli("context", "set", "prod", "http://elsewhere:1")
        assert read_config().contexts["prod"].token is None


@pytest.mark.parametrize(
    ("address", "is_warned"),
    [("http://x:1", True), ("https://x:1", False), ("http://localhost:1", False)],
)
def test_login_warns_where_the_token_can_be_read_on_its_way(
    address: str, is_warned: bool, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("cyme_o_x"))
    ran = cli("login", address, "--token-stdin", "--no-check")
    assert ("is not encrypted" in ran.err) is is_warned


@pytest.mark.parametrize("token", ["cyme_a_hush\nhush", "hush\N{SNOWMAN}", "hush hush"])
def test_what_can_be_no_token_is_not_sent_and_not_told(
    token: str, cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CYME_TOKEN", token)
    ran = cli("--url", url, "get", "apps", code=Exit.USAGE)
    assert "The token from CYME_TOKEN has characters that no token has." in ran.err
    assert "hush" not in ran.err


def test_a_token_is_kept_for_the_url_that_it_was_asked_for(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("context", "set", "prod", "https://prod:1")
    cli("context", "use", "prod")
    monkeypatch.setattr("sys.stdin", io.StringIO("cyme_o_x"))
    cli("--url", "https://other:1", "login", "--token-stdin", "--no-check")
    config = read_config()
    assert config.contexts["prod"] == Context(urls=("https://prod:1",))
    assert config.contexts["default"].urls == ("https://other:1",)


@pytest.mark.parametrize("token", ["", "two words", "with\x1b"])
def test_login_takes_no_token_that_is_none(
    token: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(token))
    cli("login", "http://x:1", "--token-stdin", code=2)
    assert "Nobody can be asked here" in cli("login", "http://x:1", code=2).err
    assert "Which branch?" in cli("login", code=2).err


def test_another_branch_answers_where_the_first_does_not(cli: Cli, url: str) -> None:
    assert cli("--url", f"http://127.0.0.1:1,{url}", "get", "apps").code == 0


def test_each_kind_of_failure_has_its_exit_code(
    cli: Cli, branch: FakeBranch, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cli("--url", "http://127.0.0.1:1", "get", "apps", code=Exit.UNREACHABLE)
    assert ran.err.startswith("cyme: http://127.0.0.1:1 cannot be reached")
    assert ran.err.count("\n") == 1
    cli("get", "app", "nope", code=Exit.NOT_FOUND)
    cli("create", "app", "admin", code=Exit.USAGE)
    cli("create", "app", "shop")
    cli("create", "instance", "w1", "-a", "shop")
    cli("delete", "app", "shop", code=Exit.CONFLICT)
    cli("create", "app", "x", "celery_app=x", code=Exit.NOT_ALLOWED)
    cli("wait", "instance", "w1", "--wait-timeout", "0.3", code=Exit.TIMED_OUT)
    cli("delete", "instances", "--all", "-l", "a=b", code=Exit.OK)


@pytest.mark.parametrize("words", [["--help"], ["get", "apps", "-o", "name"]])
def test_a_reader_who_leaves_early_is_told_nothing(
    words: list[str], url: str, branch: FakeBranch
) -> None:
    """The exit code is that of a program that SIGPIPE ended."""
    branch.client.simulate_put("/shop/")
    command = [sys.executable, "-m", "cyme.cli", *words]
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # so that the last flush writes
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == Exit.BROKEN_PIPE


@pytest.mark.parametrize("words", ["--help", "get apps -o name"])
@pytest.mark.parametrize(
    ("full", "why"),
    [
        ('exec "$@" >/dev/full', "No space left on device"),
        ('ulimit -f 0; exec "$@" >"$OUT"', "File too large"),  # it is noticed by the last flush
    ],
)
def test_a_disk_that_is_full_is_told(
    words: str, full: str, why: str, url: str, branch: FakeBranch, tmp_path: Path
) -> None:
    branch.client.simulate_put("/shop/")
    ran = in_shell(full, *words.split(), OUT=str(tmp_path / "out"))
    assert ran.returncode == Exit.FAILED
    assert ran.stderr == f"cyme: What it prints cannot be written: {why}.\n"


def test_a_certificate_that_is_not_trusted_is_told_in_the_words_of_the_command() -> None:
    refused = ConnectionFailed("It is not trusted. Name the authority that signed it with ca=.")
    assert told(refused) == (
        "It is not trusted. Name the authority that signed it with CYME_CA, or --ca of "
        "'cyme context set'."
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_does_its_work_where_it_can_print_nothing(
    closed: str, url: str, branch: FakeBranch
) -> None:
    branch.client.simulate_put("/shop/")
    ran = in_shell(f'exec "$@" {closed}', "delete", "app", "shop")
    assert ran.returncode == Exit.OK, ran.stderr
    assert branch.client.simulate_get("/shop/").status_code == 404


def in_shell(line: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a line of the shell says, in which it is ``$@``.

    It is not measured: what it covers would have to be written where nothing can be.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        ["sh", "-c", line, "sh", sys.executable, "-m", "cyme.cli", *words],
        env={**kept, "PYTHONUNBUFFERED": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
