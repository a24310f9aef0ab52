from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from cyme.errors import StorageUnavailable
from cyme.programs import caretaker
from cyme.programs.caretaker import Caretaker
from cyme.testing import WALL_S, FakeClock
from tests.waiting import eventually


@dataclass
class Old:
    """Something that is pruned, and may fail."""

    error: Exception | None = None
    asked: list[float] = field(default_factory=list)

    def prune(self, now: float) -> int:
        self.asked.append(now)
        if self.error is not None:
            raise self.error
        return 2

    def prune_results(self, now: float) -> int:
        return self.prune(now) + 1


def test_it_prunes_records_and_results(caplog: pytest.LogCaptureFixture) -> None:
    records, results = Old(), Old()
    with caplog.at_level(logging.INFO):
        Caretaker(records, results, FakeClock()).tidy()
    assert records.asked == results.asked == [WALL_S]
    assert "forgot 2 old tombstones and 3 results" in caplog.text


@pytest.mark.parametrize("error", [StorageUnavailable("the disk is gone"), ValueError("a bug")])
def test_it_goes_on_after_a_failure(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(caretaker, "PERIOD_S", 0.001)
    records = Old(error)
    keeper = Caretaker(records, Old(), FakeClock())
    keeper.start()
    eventually(lambda: len(records.asked) > 2)
    keeper.stop(1.0)
    keeper.stop(1.0)
    assert str(error) in caplog.text
