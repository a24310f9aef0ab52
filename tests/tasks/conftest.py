"""A server that webhooks may reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tasks.targets import RawTarget, answering, raw_target, response


@pytest.fixture
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks may reach this machine."""
    monkeypatch.setenv("CYME_WEBHOOK_ALLOW", "loopback")


@pytest.fixture
def hello() -> Iterator[RawTarget]:
    """A server on this machine that says hello."""
    with raw_target(answering(response(b"hello"))) as target:
        yield target
