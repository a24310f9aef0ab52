"""Real workers end, are signalled, and what they leave behind is swept."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from cyme.adapters.celery_multi.processes import Processes
from cyme.core.workers import ProcessState
from tests.adapters.celery_multi.ground import Ground, escaped_to, is_alive
from tests.adapters.launches import launch
from tests.waiting import eventually

pytestmark = pytest.mark.redis


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
    eventually(lambda: "received" in ground.log(instance))
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
