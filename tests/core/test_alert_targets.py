from __future__ import annotations

from cyme.core.alert_targets import Attempt, Outcome


def test_what_was_delivered_needs_no_reason() -> None:
    assert Attempt(Outcome.DELIVERED).reason == ""
    assert Attempt(Outcome.REFUSED, "it answers 410") != Attempt(Outcome.FAILED, "it answers 410")
