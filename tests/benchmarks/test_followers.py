from __future__ import annotations

import time
from dataclasses import replace

import pytest

from benchmarks.failure import BenchmarkFailed
from benchmarks.questions.events import _check, _following
from cyme.api.server import HttpServer
from tests.api.branch import FakeBranch


def test_followers_tell_how_long_events_took_to_each_of_them() -> None:
    branch = FakeBranch()
    server = HttpServer(branch.app, ("127.0.0.1", 0))
    server.start()
    try:
        with _following(server.address, 3) as following:
            branch.clock.advance(time.time() - branch.clock.wall())
            for _ in range(4):
                branch.journal.record("app.changed", "changed")
    finally:
        server.stop(1.0)
        branch.stop()
    (followed,) = following
    assert (followed.streams, followed.events, followed.dropped) == (3, [4, 4, 4], 0)
    assert len(followed.latencies_s) == 12
    assert all(0.0 <= latency_s < 30.0 for latency_s in followed.latencies_s)
    _check(followed, 3, 4)
    with pytest.raises(BenchmarkFailed, match="5 things happened"):
        _check(followed, 3, 5)
    with pytest.raises(BenchmarkFailed, match="left out"):
        _check(replace(followed, dropped=1), 3, 4)
