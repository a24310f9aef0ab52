"""Real workers: started, found again, looked at, signalled, swept."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import pytest
from celery import Celery

from cyme.adapters.celery_multi import CeleryMulti
from cyme.adapters.celery_multi.processes import Processes
from cyme.core.workers import Launch, Process, ProcessState
from cyme.errors import InvalidRequest, WorkerStartFailed
from tests.adapters.launches import launch
from tests.waiting import eventually

pytestmark = pytest.mark.redis

READY = "ready."


class Ground:
    """A directory of workers, and what is needed to talk to them."""

    def __init__(self, directory: Path, broker_url: str) -> None:
        self.directory = directory
        self.broker_url = broker_url
        self.ended: list[str] = []
        self.multi = self.branch()
        self.app = Celery(broker=broker_url, set_as_current=False)

    def branch(self) -> CeleryMulti:
        """Return what a branch that starts on the directory has."""
        return CeleryMulti(
            self.directory,
            environment={**os.environ, "CYME_BROKER": "secret", "NOTIFY_SOCKET": "/run/x"},
            on_exit=self.ended.append,
        )

    def start(self, wanted: Launch | None = None) -> tuple[str, Process]:
        wanted = wanted or launch(self.broker_url)
        process = self.multi.start(wanted)
        return wanted.instance, process

    def start_ready(self, wanted: Launch | None = None) -> tuple[str, Process]:
        instance, process = self.start(wanted)
        eventually(lambda: READY in self.log(instance), 30)
        return instance, process

    def log(self, instance: str) -> str:
        return "\n".join(self.multi.log_tail(instance, 1000))

    def send(self, instance: str, task: str, *args: object) -> None:
        self.app.send_task(task, args=args, queue=f"dq.{instance}")

    def place(self, instance: str) -> Path:
        return self.directory / instance

    def clear(self) -> None:
        self.app.close()
        processes = Processes()
        root = f"{self.directory.resolve()}/"
        processes.kill_all(
            lambda: processes.carrying("CYME_WORKER", lambda mark: mark.startswith(root))
        )


@pytest.fixture
def ground(tmp_path: Path, redis_url: str) -> Iterator[Ground]:
    ground = Ground(tmp_path / "instances", redis_url)
    yield ground
    ground.clear()


def is_alive(process: Process) -> bool:
    return Processes().is_alive(process)


def environment_of(process: Process) -> dict[str, str]:
    """Return a process's environment; empty in the moment in which it becomes a program."""
    environ = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in environ if "=" in entry)


# --- start ------------------------------------------------------------------------------------


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
    env = eventually(lambda: environment_of(process), 5)
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


# --- end --------------------------------------------------------------------------------------


def test_tells_at_once_when_a_worker_ends_and_how(ground: Ground) -> None:
    instance, process = ground.start(
        replace(launch(ground.broker_url), options=(("-A", "no_such_app"),))
    )
    eventually(lambda: ground.ended == [instance], 20)
    look = ground.multi.look(process)
    assert (look.state, look.exit_status, look.pids) == (ProcessState.GONE, 2, ())
    assert "no_such_app" in ground.log(instance)


def test_a_killed_worker_leaves_no_zombie(ground: Ground) -> None:
    instance, process = ground.start_ready(launch(ground.broker_url, pool="solo"))
    os.kill(process.pid, signal.SIGKILL)
    look = eventually(
        lambda: seen if (seen := ground.multi.look(process)).state is ProcessState.GONE else None
    )
    assert look.exit_status == -signal.SIGKILL
    eventually(lambda: ground.ended == [instance])
    assert not Path(f"/proc/{process.pid}").exists()


def test_term_lets_the_running_task_end(ground: Ground) -> None:
    instance, process = ground.start_ready()
    ground.send(instance, "nap", 1)
    eventually(lambda: "nap" in ground.log(instance).split(READY)[1])
    ground.multi.signal(instance, process, "TERM")
    # An idle event loop of Celery's looks up after ten seconds at the latest.
    eventually(lambda: ground.multi.look(process).state is ProcessState.GONE, 45)
    assert ground.multi.look(process).exit_status == 0
    assert "succeeded" in ground.log(instance)


def test_signals_nobody_but_the_process_of_that_identity(ground: Ground) -> None:
    instance, process = ground.start()
    for signal_name in ("TERM", "QUIT", "KILL"):
        ground.multi.signal(instance, replace(process, started=process.started - 1), signal_name)
        ground.multi.signal(instance, replace(process, boot_id="another"), signal_name)
    assert is_alive(process)


def test_kill_takes_the_whole_tree_even_a_paused_one(ground: Ground, tmp_path: Path) -> None:
    instance, process = ground.start_ready()
    for number, keep_environment in enumerate((True, False)):
        ground.send(instance, "leave_child", str(tmp_path / f"{number}"), keep_environment)
    escaped = [escaped_to(tmp_path / f"{number}") for number in range(2)]
    ground.multi.look(process)
    os.kill(process.pid, signal.SIGSTOP)
    eventually(lambda: ground.multi.look(process).state is ProcessState.PAUSED)
    family = [Processes().identify(pid) for pid in ground.multi.look(process).pids]
    ground.multi.signal(instance, process, "KILL")
    assert not any(is_alive(member) for member in family if member)
    assert not is_alive(escaped[0])
    # The other one gave up the mark, and left the tree before anybody looked.
    Processes().send(escaped[1], signal.SIGKILL)


def escaped_to(path: Path) -> Process:
    """Return the process whose pid is, or soon will be, in a file."""
    pid = int(eventually(lambda: path.read_text() if path.exists() else "", 20))
    process = Processes().identify(pid)
    assert process is not None
    return process


def test_sweeps_what_a_killed_worker_left_behind(ground: Ground, tmp_path: Path) -> None:
    instance, process = ground.start_ready()
    ground.send(instance, "leave_child", str(tmp_path / "pid"), True)
    escaped = escaped_to(tmp_path / "pid")
    pool = [Processes().identify(pid) for pid in ground.multi.look(process).pids[1:]]
    assert ground.multi.sweep(instance) == 0  # it lives
    assert is_alive(escaped)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(process))
    assert ground.branch().sweep(instance) >= 1
    assert not any(is_alive(member) for member in (escaped, *pool) if member)
    assert ground.multi.sweep(instance) == 0


def test_sweeps_an_unmarked_process_that_it_saw_leave(ground: Ground, tmp_path: Path) -> None:
    # A worker's descendant without the mark, seen while its parent lived.
    code = f"""
import os, sys, time
if os.fork() == 0:
    os.setsid()
    open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
    time.sleep(600)
time.sleep(0.5)
"""
    (tmp_path / "slow.py").write_text(
        "import subprocess, sys, celery\napp = celery.Celery()\n"
        "@app.task(name='slow')\n"
        f"def slow(): subprocess.call([sys.executable, '-c', {code!r}], env={{}})\n"
    )
    wanted = launch(ground.broker_url, workdir=str(tmp_path))
    wanted = replace(wanted, options=(("-A", "slow"), *wanted.options[1:]))
    instance, process = ground.start_ready(wanted)
    ground.send(instance, "slow")
    escaped = escaped_to(tmp_path / "pid")
    assert escaped.pid in ground.multi.look(process).pids
    eventually(lambda: escaped.pid not in ground.multi.look(process).pids)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: ground.multi.look(process).state is ProcessState.GONE)
    ground.multi.sweep(instance)
    assert not is_alive(escaped)


# --- find -------------------------------------------------------------------------------------


def lose_nothing(place: Path) -> None:
    assert (place / "worker.json").exists()


def lose_record(place: Path) -> None:
    (place / "worker.json").unlink()


def damage_record(place: Path) -> None:
    (place / "worker.json").write_text('{"pid": ')


def lose_all(place: Path) -> None:
    lose_record(place)
    (place / "worker.pid").unlink()


@pytest.mark.parametrize(
    ("lose", "digest"),
    [(lose_nothing, "d1"), (lose_record, ""), (damage_record, ""), (lose_all, "")],
)
def test_a_branch_that_starts_anew_finds_its_workers(
    ground: Ground, lose: Callable[[Path], None], digest: str
) -> None:
    instance, process = ground.start_ready()
    lose(ground.place(instance))
    branch = ground.branch()
    found = branch.find([instance, "never-started"])
    assert found == {instance: replace(process, digest=digest)}
    look = branch.look(found[instance])
    assert look.state is ProcessState.ALIVE
    assert len(look.pids) == 2
    # What was found is written down again.
    assert ground.branch().find([instance]) == found
    branch.signal(instance, found[instance], "KILL")
    assert branch.look(found[instance]).state is ProcessState.GONE
    assert branch.find([instance]) == {}


@pytest.mark.parametrize("lose", [lose_nothing, lose_all])
def test_does_not_take_a_leftover_for_the_worker(
    ground: Ground, tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    instance, process = ground.start_ready()
    ground.send(instance, "leave_child", str(tmp_path / "pid"), True)
    escaped = escaped_to(tmp_path / "pid")
    lose(ground.place(instance))
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_alive(process))
    assert ground.branch().find([instance]) == {}
    assert is_alive(escaped)
    assert ground.branch().sweep(instance) >= 1
    assert not is_alive(escaped)


def test_names_strays(ground: Ground) -> None:
    one, _ = ground.start()
    other, _ = ground.start()
    assert ground.branch().strays([one]) == [other]
    assert ground.branch().strays([one, other]) == []


# --- files ------------------------------------------------------------------------------------


def test_reads_the_end_of_the_log(ground: Ground) -> None:
    place = ground.place("w1")
    place.mkdir(parents=True)
    assert ground.multi.log_tail("w1", 5) == ()
    (place / "worker.log").write_bytes(b"".join(b"line %d\xff\n" % n for n in range(100_000)))
    assert ground.multi.log_tail("w1", 2) == ["line 99998\ufffd", "line 99999\ufffd"]
    assert ground.multi.log_tail("w1", 0) == ()


def test_discards_the_files_of_one_instance_alone(ground: Ground) -> None:
    for name in ("w1", "w2"):
        ground.place(name).mkdir(parents=True)
        (ground.place(name) / "worker.log").touch()
    ground.multi.discard("w1")
    assert not ground.place("w1").exists()
    assert ground.place("w2").exists()
    with pytest.raises(InvalidRequest):
        ground.multi.discard("..")
    assert ground.place("w2").exists()


def test_looks_cost_next_to_nothing(ground: Ground) -> None:
    started = [ground.start_ready() for _ in range(2)]
    looks = 200
    began = time.process_time()
    for _ in range(looks):
        for _, process in started:
            ground.multi.look(process)
    each_s = (time.process_time() - began) / (looks * len(started))
    assert each_s < 0.0005, "20 instances every second must stay under 1 %"


def test_other_greenlets_run_while_workers_start(ground: Ground) -> None:
    stalls: list[float] = []

    def watch() -> None:
        last = time.monotonic()
        while True:
            gevent.sleep(0.001)
            now = time.monotonic()
            stalls.append(now - last)
            last = now

    watcher = gevent.spawn(watch)
    starts = [gevent.spawn(ground.start, launch(ground.broker_url, pool="solo")) for _ in range(4)]
    gevent.joinall(starts, raise_error=True)
    ground.branch().find([start.value[0] for start in starts])
    watcher.kill()
    assert max(stalls) < 0.5


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
