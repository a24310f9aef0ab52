"""What a branch writes for its cluster keeps nobody waiting."""

from __future__ import annotations

import os

import gevent
import pytest

from cyme.programs import clustering
from cyme.programs.clustering import OneByOne


def test_the_end_waits_for_no_disk_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "WRITER_STOP_TIMEOUT_S", 0.05)
    answers, disk = os.pipe()
    in_turn = OneByOne()
    writing = gevent.spawn(in_turn, lambda: os.read(answers, 1))
    gevent.sleep(0)
    try:
        with gevent.Timeout(5.0):
            in_turn.stop()
        assert not writing.ready()
    finally:
        os.write(disk, b"1")
        writing.join(5.0)
        os.close(answers)
        os.close(disk)
