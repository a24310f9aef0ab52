from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.adapters.celery_multi.node import WorkerNode
from cyme.errors import WorkerStartFailed

FILES = {"--pidfile": "/d/worker.pid", "--logfile": "/d/worker.log", "--statedb": "/d/worker.state"}

# What a file system and a process take: anything but NUL and lone surrogates.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def command_line(
    *options: tuple[str, str | None],
    python: str = "/usr/bin/python3",
    files: dict[str, str] | None = None,
    config: tuple[tuple[str, str], ...] = (),
) -> list[str]:
    node = WorkerNode(
        "w1@here", python=python, options=options, files=files or FILES, config=config
    )
    return node.command_line


def test_runs_celery_worker_in_the_foreground() -> None:
    line = command_line(("-A", "proj"), ("-Q", "a,b"), ("-E", None), ("--autoscale", "4,1"))
    assert line == [
        *("/usr/bin/python3", "-m", "celery", "-A", "proj", "worker"),
        *("-Q", "a,b", "-E", "--autoscale=4,1"),
        *("--pidfile=/d/worker.pid", "--logfile=/d/worker.log", "--statedb=/d/worker.state"),
        *("-n", "w1@here"),
    ]


def test_settings_stand_behind_two_dashes() -> None:
    line = command_line(("-A", "proj"), config=(("task_acks_late", "True"), ("x", "a b%n")))
    assert line[line.index("--") :] == ["--", "task_acks_late=True", "x=a b%n"]


@given(value=TEXT)
def test_every_value_arrives_as_it_was_given(value: str) -> None:
    line = command_line(("-A", value), ("-Q", value), ("--queues", value), config=(("k", value),))
    assert line[line.index("-A") + 1] == value
    assert line[line.index("-Q") + 1] == value
    assert f"--queues={value}" in line
    assert line[-1] == f"k={value}"


@given(name=TEXT.filter(lambda name: "/" not in name))
def test_paths_survive_both_expansions(name: str) -> None:
    line = command_line(
        python=f"/{name}/python", files={**FILES, "--pidfile": f"/tmp/{name}/worker.pid"}
    )
    assert line[0] == f"/{name}/python"
    # The worker expands them once more, and %% becomes % in it.
    assert f"--pidfile=/tmp/{name.replace('%', '%%')}/worker.pid" in line


def test_makes_no_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command_line(files={**FILES, "--pidfile": "/tmp/no such/%n/worker.pid"})
    assert list(tmp_path.iterdir()) == []
    assert not Path("/tmp/no such").exists()


@pytest.mark.parametrize(
    "name", ["", "3", "w1", "a b@here", "w@", "@here", "w%n@here", "w@here;x", "w@x@y", "w@here\n"]
)
def test_refuses_a_name_that_multi_would_misread(name: str) -> None:
    with pytest.raises(WorkerStartFailed, match="not a node name"):
        WorkerNode(name, python="/p", options=(), files=FILES)


@pytest.mark.parametrize(
    "option", ["", "A", "--", "-", "-A x", "--a=b", "--executable", "--detach", "-D", "-n", "-é"]
)
def test_refuses_what_is_no_option_or_not_the_users(option: str) -> None:
    with pytest.raises(WorkerStartFailed):
        command_line((option, "x"))


def test_refuses_a_setting_that_is_none() -> None:
    with pytest.raises(WorkerStartFailed, match="setting"):
        command_line(config=(("a b", "x"),))


def test_the_files_of_the_instance_win() -> None:
    line = command_line(("--pidfile", "/elsewhere"))
    assert [word for word in line if word.startswith("--pidfile")] == ["--pidfile=/d/worker.pid"]
