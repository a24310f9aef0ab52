"""The one error of the harness."""

from __future__ import annotations


class BenchmarkFailed(Exception):
    """A question could not be answered; the message says why."""
