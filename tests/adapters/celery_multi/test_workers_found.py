"""Real workers are found again and looked at, and their files read, rotated and discarded."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from cyme.adapters.celery_multi import CeleryMulti, log_rotation
from cyme.adapters.celery_multi.log_rotation import LogLimits
from cyme.adapters.celery_multi.raw_output import add_to_log
from cyme.core.workers import ProcessState
from cyme.errors import InvalidRequest
from tests.adapters.celery_multi.ground import READY, Ground, escaped_to, is_alive
from tests.waiting import eventually

pytestmark = pytest.mark.redis


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
    assert ground.multi.log_tail("w1", 2) == ("line 99998\ufffd", "line 99999\ufffd")
    assert ground.multi.log_tail("w1", 0) == ()


def test_no_files_are_removed_while_logs_are_written(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ground.place("w1")
    place.mkdir(parents=True)
    (place / "worker.out").write_text("last words\n")
    written, goes_on = os.pipe()
    begun: list[Path] = []

    def add_slowly(at: Path) -> None:
        begun.append(at)
        os.read(written, 1)
        add_to_log(at)

    monkeypatch.setattr(log_rotation, "add_to_log", add_slowly)
    tending = gevent.spawn(ground.multi.tend_logs)
    eventually(lambda: begun)
    removing = gevent.spawn(ground.multi.discard, "w1")
    removing.join(0.2)
    is_there = (place / "worker.out").exists()
    os.write(goes_on, b"1")
    gevent.joinall([tending, removing], timeout=10, raise_error=True)
    assert is_there
    assert not place.exists()
    os.close(written)
    os.close(goes_on)


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


def test_a_worker_and_its_pool_go_on_logging_when_the_log_is_rotated(ground: Ground) -> None:
    instance, _ = ground.start_ready()
    place = ground.place(instance)
    small = CeleryMulti(ground.directory, environment={}, log_limits=LogLimits(bytes_max=1))
    small.tend_logs()
    assert READY in (place / "worker.log.1").read_text()
    assert (place / "worker.log").read_text() == ""
    ground.send(instance, "say", "hello")  # the main process logs its receipt, a child the words
    eventually(lambda: "said hello" in (place / "worker.log").read_text(), 20)
    text = (place / "worker.log").read_text()
    assert "received" in text
    assert "ForkPoolWorker" in text
    ground.send(instance, "print_raw", "bare words")
    eventually(lambda: "bare words" in (place / "worker.out").read_text(), 20)
    ground.multi.tend_logs()
    assert "bare words" in (place / "worker.log").read_text()
