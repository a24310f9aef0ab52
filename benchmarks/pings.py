"""Asks workers whether they are there, over Celery's remote control."""

from __future__ import annotations

import time
from collections.abc import Sequence

import celery

from benchmarks.failure import BenchmarkFailed

#: How long one broadcast waits for the answers that are still missing, in seconds.
ROUND_S = 0.5


def await_pongs(broker_url: str, nodes: Sequence[str], timeout_s: float) -> None:
    """Wait until each node has answered a ping.

    Raises:
        BenchmarkFailed: Some have not, in time.
    """
    deadline = time.monotonic() + timeout_s
    silent = set(nodes)
    with celery.Celery("pings", broker=broker_url, set_as_current=False) as app:
        while silent:
            answers = app.control.broadcast(
                "ping",
                reply=True,
                destination=sorted(silent),
                limit=len(silent),
                timeout=ROUND_S,
            )
            silent.difference_update(*(answers or ()))
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"After {timeout_s} s no ping of {', '.join(silent)}.")
