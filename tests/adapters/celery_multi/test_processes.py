from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cyme.adapters.celery_multi.processes import (
    Glimpse,
    Processes,
    ProcTable,
    PsutilTable,
)
from cyme.core.workers import ProcessState
from tests.adapters.launches import unique
from tests.waiting import eventually

SLEEPER = "import time; time.sleep(600)"
#: A process with a child that has a child in a session of its own.
CHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], start_new_session=True)
time.sleep(600)
"""
FAMILY = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {CHILD!r}])
time.sleep(600)
"""


@pytest.fixture(params=[ProcTable, PsutilTable], ids=["proc", "psutil"])
def processes(request: pytest.FixtureRequest) -> Processes:
    if request.param is ProcTable and not sys.platform.startswith("linux"):
        pytest.skip("only Linux has /proc")
    return Processes(request.param())


class Children:
    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, code: str = SLEEPER) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, "CYME_TEST_MARK": self.mark}
        )
        self._children.append(child)
        return child

    def end(self) -> None:
        processes = Processes()
        processes.kill_all(lambda: processes.carrying("CYME_TEST_MARK", self.mark.__eq__))
        for child in self._children:
            child.wait(5)


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children(unique("mark"))
    yield children
    children.end()


def test_knows_a_process_by_more_than_its_pid(processes: Processes, children: Children) -> None:
    process = processes.identify(children.start().pid)
    assert process is not None
    assert processes.is_alive(process)
    assert not processes.is_alive(replace(process, started=process.started - 1))
    assert not processes.is_alive(replace(process, boot_id="another boot"))


def test_a_zombie_is_gone(processes: Processes, children: Children) -> None:
    child = children.start()
    process = processes.identify(child.pid)
    assert process is not None
    os.kill(child.pid, signal.SIGKILL)
    eventually(lambda: not processes.is_alive(process))
    assert processes.identify(child.pid) is None


def test_tells_paused_from_alive(processes: Processes, children: Children) -> None:
    child = children.start()
    process = processes.identify(child.pid)
    assert process is not None
    assert processes.glimpse(process).state is ProcessState.ALIVE  # type: ignore[union-attr]
    child.send_signal(signal.SIGSTOP)
    eventually(lambda: processes.glimpse(process).state is ProcessState.PAUSED)  # type: ignore[union-attr]


def test_sees_descendants_of_descendants(processes: Processes, children: Children) -> None:
    child = children.start(FAMILY)
    family = eventually(
        lambda: found if len(found := processes.descendants(child.pid)) == 2 else None
    )
    assert not processes.leads_session(family[0].pid)
    eventually(lambda: processes.leads_session(family[1].pid))


@pytest.mark.parametrize("maker", ["make()", "threading.Thread(target=make).start()"])
def test_sees_a_child_whichever_thread_made_it(
    processes: Processes, children: Children, maker: str
) -> None:
    code = f"""
import subprocess, sys, threading, time
def make():
    subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
    time.sleep(600)
{maker}
time.sleep(600)
"""
    child = children.start(code)
    process = processes.identify(child.pid)
    assert process is not None

    def has_child() -> bool:
        seen = processes.glimpse(process)
        assert seen is not None
        return len(processes.descendants(child.pid, seen.threads)) == 1

    eventually(has_child)


def test_counts_processor_time(processes: Processes, children: Children) -> None:
    process = processes.identify(children.start("while True: pass").pid)
    assert process is not None
    eventually(lambda: processes.glimpse(process).cpu_s > 0.05)  # type: ignore[union-attr]


def test_tells_what_a_process_takes_and_since_when(
    processes: Processes, children: Children
) -> None:
    pid = children.start("hold = b'x' * 64_000_000; import time; time.sleep(600)").pid
    process = processes.identify(pid)
    assert process is not None

    def grown() -> Glimpse | None:
        seen = processes.glimpse(process)
        return seen if seen is not None and seen.memory_bytes > 6e7 else None

    seen = eventually(grown)
    assert seen.memory_bytes == pytest.approx(psutil.Process(pid).memory_info().rss, rel=0.1)
    age_s = time.time() - psutil.Process(pid).create_time()
    assert seen.age_s == pytest.approx(age_s, abs=1.5)


def test_finds_whoever_carries_a_mark(processes: Processes, children: Children) -> None:
    child = children.start(FAMILY)
    eventually(lambda: len(processes.descendants(child.pid)) == 2)
    found = processes.carrying("CYME_TEST_MARK", children.mark.__eq__)
    assert {process.pid for process in found} == {
        child.pid,
        *(member.pid for member in processes.descendants(child.pid)),
    }
    assert set(found.values()) == {children.mark}
    assert processes.variable(child.pid, "CYME_TEST_MARK") == children.mark
    assert processes.variable(child.pid, "CYME_TEST_MAR") is None


@pytest.mark.parametrize("with_descriptors", [True, False], ids=["pidfd", "pid"])
def test_signals_only_the_process_that_is_meant(
    processes: Processes,
    children: Children,
    with_descriptors: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not with_descriptors:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    child = children.start()
    process = processes.identify(child.pid)
    assert process is not None
    assert not processes.send(replace(process, started=process.started + 1), signal.SIGKILL)
    assert processes.is_alive(process)
    assert processes.send(process, signal.SIGTERM)
    assert child.wait(5) == -signal.SIGTERM
    assert not processes.send(process, signal.SIGTERM)


def test_kills_what_is_born_during_the_killing(processes: Processes, children: Children) -> None:
    code = """
import os, time
while os.fork():
    time.sleep(0.005)
time.sleep(600)
"""
    children.start(code)
    eventually(lambda: len(processes.carrying("CYME_TEST_MARK", children.mark.__eq__)) > 2)
    killed = processes.kill_all(lambda: processes.carrying("CYME_TEST_MARK", children.mark.__eq__))
    assert killed > 2
    assert not processes.carrying("CYME_TEST_MARK", children.mark.__eq__)


def test_reads_a_command_name_full_of_parentheses(children: Children) -> None:
    name = "a) S 1 (b"
    child = children.start(
        f"import time; open('/proc/self/comm', 'w').write({name!r}); time.sleep(600)"
    )
    shown = Path(f"/proc/{child.pid}/comm")
    eventually(lambda: name in shown.read_text())
    seen = ProcTable().glimpse(child.pid)
    assert seen is not None
    assert seen.state is ProcessState.ALIVE
    assert seen.session == os.getsid(child.pid)
