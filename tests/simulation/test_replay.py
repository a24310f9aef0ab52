"""A seed is a run that anybody can replay."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cyme.testing.__main__ import main
from cyme.testing.simulation import Transcript, branches_of, events_of, simulate


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = simulate(11), simulate(11)
    assert first.digest == second.digest
    assert first.happened == second.happened
    assert first.latest == second.latest


def test_another_seed_gives_another_run() -> None:
    assert simulate(11).digest != simulate(12).digest


@pytest.mark.parametrize("salt", ["1", "2"])
def test_a_run_does_not_depend_on_the_process_that_it_is_in(salt: str) -> None:
    # Sets of names have another order in every process that salts its hashes.
    program = "from cyme.testing.simulation import simulate; print(simulate(11).digest)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": salt},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == simulate(11).digest


def test_telling_every_message_changes_nothing() -> None:
    lines: list[str] = []
    traced = simulate(11, transcript=Transcript(lines.append, messages=True))
    assert [line for line in lines if " hears " in line]
    assert traced.happened == simulate(11).happened


def test_the_program_replays_a_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "11", "--branches", "3"]) == 0
    said = capsys.readouterr().out
    assert "starts, boot 1" in said
    assert f"digest {simulate(11, 3).digest}" in said
    assert "Every rule held" in said


def test_the_program_runs_without_faults_where_it_is_told_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--seed", "11", "--faults", "none", "--until", "12"]) == 0
    said = capsys.readouterr().out
    assert "fault:" not in said
    assert "is asked to put app/shop" in said


def test_the_program_refuses_a_fault_that_there_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--seed", "11", "--faults", "crash,flood"])
    assert "there is no fault 'flood'" in capsys.readouterr().err


def test_only_the_faults_that_are_asked_for_happen() -> None:
    events = events_of(11, branches_of(11), kinds=("power",))
    kinds = {event.kind for event in events}
    assert "power" in kinds
    assert not kinds & {"crash", "split", "clone"}


def test_the_program_runs_without_gevent() -> None:
    program = (
        "import sys; import cyme.testing.__main__; "
        "print([name for name in ('gevent', 'zmq', 'celery', 'falcon') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
