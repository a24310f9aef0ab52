from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cyme.programs.list_branches import main, run
from cyme.programs.registry import Registration, RunningBranch, start_mark
from tests.client.server import problem, says, serving


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state directory, in which no branch is yet."""
    for name in ("CYME_URL", "CYME_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CYME_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def register(state: Path, url: str, directory: Path) -> None:
    here = RunningBranch(
        id="b1", url=url, directory=str(directory), pid=os.getpid(),
        started=start_mark(os.getpid()), cluster="default",
    )  # fmt: skip
    Registration(state, here).write()


def test_prints_the_ids_of_the_cluster_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(says(["b", "a"])) as server:
        monkeypatch.setenv("CYME_URL", server.url)
        monkeypatch.setenv("CYME_TOKEN", "t")
        assert run([]) == 0
        assert run(["--limit", "1"]) == 0
        assert server.asked[0].headers["authorization"] == "Bearer t"
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [["a", "b"], ["a"]]


def test_finds_a_branch_of_this_machine_and_its_token(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "admin.token").write_text("s3cret\n")
    with serving(says(["b1"])) as server:
        register(state, server.url, tmp_path)
        with pytest.raises(SystemExit) as ended:
            main_with([])
        assert ended.value.code == 0
        assert server.asked[0].headers["authorization"] == "Bearer s3cret"
    assert json.loads(capsys.readouterr().out) == ["b1"]


def main_with(arguments: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["cyme-list-branches", *arguments])
        main()


def test_lists_those_that_own_instances_on_a_broker(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"name": "x", "app": "a", "branch": "b1", "broker": {"url": "redis://:********@h/1"}},
        {"name": "y", "app": "a", "branch": "b2", "broker": {"url": "redis://h/2"}},
        {"name": "z", "app": "a", "branch": "b1", "broker": {"url": "redis://:********@h/1"}},
    ]
    with serving(says(rows)) as server:
        monkeypatch.setenv("CYME_URL", server.url)
        assert run(["--broker", "redis://:s3cret@h/1"]) == 0
    assert json.loads(capsys.readouterr().out) == ["b1"]


@pytest.mark.parametrize(
    ("url", "arguments", "code", "said"),
    [
        ("gopher://x", [], 2, "no URL of a branch"),
        ("", ["--limit", "-1"], 2, "--limit"),
        ("refusing", [], 1, "Ask somebody."),
    ],
)
def test_says_what_went_wrong(
    url: str,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving(problem(403, "Ask somebody.")) as server:
        monkeypatch.setenv("CYME_URL", server.url if url == "refusing" else url)
        assert run(arguments) == code
    printed = capsys.readouterr()
    assert (printed.out, said in printed.err) == ("", True)
