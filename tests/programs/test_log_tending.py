from __future__ import annotations

import pytest

from cyme.programs import log_tending, logs
from cyme.programs.log_tending import LogTending
from tests.waiting import eventually


def test_all_logs_are_tended_until_it_is_stopped_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_tending, "PERIOD_S", 0.01)
    tended: list[str] = []
    monkeypatch.setattr(logs, "rotate", lambda size, kept: tended.append(f"own {size} {kept}"))

    def tend_workers() -> None:
        tended.append("workers")
        if len(tended) == 1:
            raise OSError("the disk is away")

    tending = LogTending(tend_workers, bytes_max=7, kept=3)
    tending.start()
    eventually(lambda: len(tended) >= 5)
    tending.stop(1.0)
    tending.stop(1.0)
    assert tended[:5] == ["workers", "workers", "own 7 3", "workers", "own 7 3"]
    assert "looking after the logs failed" in caplog.text


def test_logs_of_any_size_are_left_alone_where_that_is_wished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "rotate", lambda size, kept: pytest.fail("it was rotated"))
    LogTending(lambda: None, bytes_max=0, kept=3).tend()
