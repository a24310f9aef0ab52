"""Real workers are started, on every pool, without stopping the branch."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import threading
import time
import venv
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import gevent
import pytest
from gevent.monkey import get_original

from cyme.core.workers import Process, ProcessState
from cyme.errors import WorkerStartFailed
from tests.adapters.celery_multi.ground import READY, Ground, is_alive
from tests.adapters.launches import launch
from tests.waiting import eventually

pytestmark = pytest.mark.redis

#: A branch that starts workers lets others wait for no longer, in seconds.
STALL_S_MAX = 0.3

thread_sleep = get_original("time", "sleep")
NativeEvent = get_original("threading", "Event")


def environment_of(process: Process) -> dict[str, str]:
    """Return a process's environment; empty in the moment in which it becomes a program."""
    environ = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in environ if "=" in entry)


def test_starts_a_worker_in_a_session_of_its_own(ground: Ground) -> None:
    instance, process = ground.start_ready()
    assert os.getsid(process.pid) == process.pid
    look = ground.multi.look(process)
    assert look.state is ProcessState.ALIVE
    assert look.pids[0] == process.pid
    assert len(look.pids) == 2  # one pool process
    assert look.cpu_s > 0.1
    place = ground.place(instance)
    assert (place / "worker.pid").read_text().strip() == str(process.pid)
    record = place / "worker.json"
    assert json.loads(record.read_text())["digest"] == "d1"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE((place / "worker.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_gives_a_worker_the_branchs_environment_without_what_is_its_own(ground: Ground) -> None:
    _, process = ground.start(launch(ground.broker_url, env={"MINE": "it's 100 %"}))
    env = eventually(lambda: environment_of(process))
    assert env["PATH"] == os.environ["PATH"]
    assert env["MINE"] == "it's 100 %"
    assert env["CELERY_BROKER_URL"] == ground.broker_url
    assert "CYME_BROKER" not in env
    assert "NOTIFY_SOCKET" not in env


def test_keeps_secrets_out_of_the_command_line(ground: Ground) -> None:
    _, process = ground.start()
    assert ground.broker_url.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_runs_in_a_directory_with_a_name_that_shells_would_misread(
    tmp_path: Path, redis_url: str
) -> None:
    ground = Ground(tmp_path / "it's $HOME %n dir", redis_url)
    try:
        instance, process = ground.start_ready()
        assert (ground.place(instance) / "worker.pid").read_text().strip() == str(process.pid)
    finally:
        ground.clear()


def test_refuses_a_second_worker_of_an_instance(ground: Ground) -> None:
    wanted = launch(ground.broker_url)
    _, process = ground.start(wanted)
    with pytest.raises(WorkerStartFailed, match=f"runs already, as process {process.pid}"):
        ground.multi.start(wanted)
    with pytest.raises(WorkerStartFailed, match="runs already"):
        ground.branch().start(wanted)


def test_refuses_a_second_start_during_the_first(ground: Ground) -> None:
    wanted = launch(ground.broker_url)
    starts = [gevent.spawn(ground.multi.start, wanted) for _ in range(3)]
    gevent.joinall(starts)
    assert sum(start.successful() for start in starts) == 1
    assert {type(start.exception) for start in starts} == {type(None), WorkerStartFailed}


def test_starts_beside_a_pid_file_that_names_a_stranger(ground: Ground) -> None:
    wanted = launch(ground.broker_url)
    place = ground.place(wanted.instance)
    place.mkdir(parents=True)
    (place / "worker.pid").write_text(f"{os.getpid()}\n")
    _, process = ground.start_ready(wanted)
    assert process.pid != os.getpid()
    assert (place / "worker.pid").read_text().strip() == str(process.pid)


def test_starts_again_after_a_crash_that_left_everything_behind(ground: Ground) -> None:
    wanted = launch(ground.broker_url)
    _, process = ground.start_ready(wanted)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(process))
    assert (ground.place(wanted.instance) / "worker.pid").exists()
    ground.multi.sweep(wanted.instance)
    _, again = ground.start(wanted)
    eventually(lambda: ground.log(wanted.instance).count(READY) == 2, 30)
    assert ground.multi.look(again).state is ProcessState.ALIVE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"python": "/no/such/python"}, "There is no interpreter"),
        ({"python": "python3"}, "absolute path"),
        ({"python": "/etc/passwd"}, "may not execute|not a program"),
        ({"python": "/bin/false"}, "does not work as a Python interpreter"),
        ({"workdir": "/no/such/directory"}, "does not exist on this machine"),
        ({"node": "3"}, "not a node name"),
        ({"instance": "../up"}, "is not a name"),
        ({"options": (("-A x", "y"),)}, "not an option"),
    ],
)
def test_says_why_a_worker_cannot_be_started(
    ground: Ground, change: dict[str, str], message: str
) -> None:
    with pytest.raises(WorkerStartFailed, match=message):
        ground.multi.start(replace(launch(ground.broker_url), **change))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an interpreter that has neither Celery nor Cyme."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False)
    return str(home / "bin" / "python")


def test_says_that_an_interpreter_has_no_celery(ground: Ground, bare_python: str) -> None:
    with pytest.raises(WorkerStartFailed, match="has no Celery"):
        ground.multi.start(launch(ground.broker_url, python=bare_python))


def with_celery(python: str) -> str:
    """Let an interpreter see the packages of this one."""
    home = Path(python).parent.parent
    (packages,) = home.glob("lib/python*/site-packages")
    (here,) = (path for path in sys.path if (Path(path) / "celery").is_dir())
    (packages / "more.pth").write_text(f"{here}\n")
    return python


def test_runs_the_users_application_where_cyme_is_not_installed(
    ground: Ground, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = with_celery(str(tmp_path / "venv" / "bin" / "python"))
    wanted = launch(
        ground.broker_url, python=python, pool="solo", options=(("--include", "cyme.tasks"),)
    )
    with pytest.raises(WorkerStartFailed, match="has no Cyme"):
        ground.multi.start(replace(wanted, needs_own_app=True))
    _, process = ground.start_ready(wanted)
    assert b"cyme.tasks" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_a_worker_of_our_own_interpreter_can_import_cyme(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "import cyme, celery\napp = celery.Celery()\nprint('cyme is here', flush=True)\n"
    )
    wanted = launch(ground.broker_url, pool="solo", workdir=str(tmp_path))
    wanted = replace(wanted, options=(("-A", "probe"), *wanted.options[1:]))
    instance, _ = ground.start_ready(wanted)
    assert "cyme is here" in ground.log(instance)


def test_other_greenlets_run_while_workers_start(ground: Ground) -> None:
    def stall_s() -> float:
        begun = time.monotonic()
        turns, turns_of_thread, is_over = [begun], [begun], NativeEvent()
        watchers = (
            gevent.get_hub().threadpool.spawn(record_turns, turns_of_thread, is_over, thread_sleep),
            gevent.spawn(record_turns, turns, is_over, gevent.sleep),
        )
        wanted = [launch(ground.broker_url, pool="solo") for _ in range(4)]
        starts = [gevent.spawn(ground.start, each) for each in wanted]
        gevent.joinall(starts, raise_error=True)
        ground.branch().find([start.value[0] for start in starts])
        is_over.set()
        for watcher in watchers:
            watcher.get(timeout=30)
        return longest_s(turns) - longest_s(turns_of_thread)

    # A machine that is busy stalls threads too, and now and then one alone; what a start holds up,
    # it does each time.
    assert any(stall_s() < STALL_S_MAX for _ in range(4))


def record_turns(
    turns: list[float], is_over: threading.Event, sleep: Callable[[float], object]
) -> None:
    while not is_over.is_set():
        sleep(0.001)
        turns.append(time.monotonic())


def longest_s(turns: list[float]) -> float:
    return max(later - turn for turn, later in pairwise(turns))


@pytest.mark.rabbitmq
@pytest.mark.slow
@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "eventlet", "solo"])
def test_every_pool_starts_and_stops_on_rabbitmq(
    tmp_path: Path, rabbitmq_url: str, pool: str
) -> None:
    ground = Ground(tmp_path / "instances", rabbitmq_url)
    try:
        instance, process = ground.start_ready(launch(rabbitmq_url, pool=pool))
        ground.multi.signal(instance, process, "TERM")
        eventually(lambda: ground.multi.look(process).state is ProcessState.GONE, 20)
        assert ground.multi.look(process).exit_status == 0
    finally:
        ground.clear()
