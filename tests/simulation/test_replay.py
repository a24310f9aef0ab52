"""A seed is a run that anybody can replay."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

import pytest

from cyme.core.cluster.effects import Effect, Link, Settle
from cyme.core.cluster.messages import Message
from cyme.core.cluster.node import Node
from cyme.testing.__main__ import main
from cyme.testing.simulation import (
    Transcript,
    Verdict,
    branches_of,
    events_of,
    shrink,
    simulate,
)


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


class SettlesTwice(Node):
    def on_message(self, now: float, link: Link | None, message: Message) -> list[Effect]:
        effects = super().on_message(now, link, message)
        return effects + [effect for effect in effects if isinstance(effect, Settle)]


def a_broken_run() -> Verdict:
    runs = (simulate(seed, node=SettlesTwice) for seed in range(50))
    return next(verdict for verdict in runs if verdict.violation is not None)


def test_the_program_fails_where_a_rule_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = a_broken_run()
    monkeypatch.setattr("cyme.testing.__main__.simulate", partial(simulate, node=SettlesTwice))
    assert main(["--seed", str(broken.seed), "--quiet"]) == 1
    assert f"VIOLATION: {broken.violation}" in capsys.readouterr().out


def test_a_run_that_breaks_a_rule_is_made_as_short_as_can_be() -> None:
    broken = a_broken_run()
    shortest = shrink(broken, node=SettlesTwice)
    assert shortest.violation is not None
    assert broken.violation is not None
    assert shortest.violation.rule == broken.violation.rule
    assert len(shortest.events) < len(broken.events)
    # An app, and something that makes one branch call another.
    assert len(shortest.events) == 2


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
