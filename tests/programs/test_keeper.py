from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from cyme.core.model import Broker
from cyme.errors import EmbeddedBrokerFailed
from cyme.programs import keeper
from cyme.programs.keeper import Keeper
from tests.waiting import eventually

HERE = Broker("redis://:hushhush@127.0.0.1:1/0")
ELSEWHERE = Broker("redis://:hushhush@127.0.0.1:2/0")


@dataclass(frozen=True)
class Service:
    broker: Broker = HERE
    started: bool = False


@dataclass
class Embedded:
    """An embedded broker that answers as it is told, the last answer for ever."""

    answers: list[Service | Exception | None]
    asked: int = field(default=0)

    def ensure(self, timeout_s: float) -> Service | None:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PERIOD_S", 0.001)


def kept(*answers: Service | Exception | None) -> Embedded:
    """Let a keeper look often enough to have met all the answers, and end it."""
    embedded = Embedded(list(answers))
    watcher = Keeper(embedded, HERE)
    watcher.start()
    eventually(lambda: embedded.asked > len(answers) + 3)
    watcher.stop(1.0)
    watcher.stop(1.0)
    return embedded


def test_a_broker_that_runs_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        kept(Service())
    assert caplog.text == ""


def test_a_broker_that_ended_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    kept(Service(), Service(started=True), Service())
    assert caplog.text.count("was started again") == 1


def test_a_failure_that_lasts_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    kept(EmbeddedBrokerFailed("no room"), EmbeddedBrokerFailed("no room"))
    assert caplog.text.count("the embedded broker is away: no room") == 1


def test_it_goes_on_after_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    embedded = kept(ValueError("a bug"), Service())
    assert embedded.asked > 2
    assert "ValueError: a bug" in caplog.text


def test_a_move_and_a_loss_are_told_without_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    kept(Service(ELSEWHERE))
    kept(None)
    assert "to redis://:********@127.0.0.1:2/0" in caplog.text
    assert "its program is gone" in caplog.text
    assert "hushhush" not in caplog.text
