"""What stands in the way of a server is said."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from cyme.adapters.embedded_broker import EmbeddedBroker, EmbeddedState, broker
from cyme.adapters.embedded_broker.directory import BrokerDirectory
from cyme.errors import EmbeddedBrokerFailed
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker, ensured


def test_leaves_a_silent_server_alone_and_says_so(
    make: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PING_TIMEOUT_S", 0.1)
    embedded = make()
    service = ensured(embedded)
    os.kill(service.pid, signal.SIGSTOP)
    assert embedded.status().state is EmbeddedState.SILENT
    with pytest.raises(EmbeddedBrokerFailed, match=r"does not answer in time(?s:.)*broker stop"):
        embedded.ensure(0.3)
    os.kill(service.pid, signal.SIGCONT)
    assert ensured(embedded).pid == service.pid


def test_a_failed_start_shows_the_end_of_the_log(make: MakeBroker, tmp_path: Path) -> None:
    broken = tmp_path / "broken-server"
    broken.write_text("#!/bin/sh\necho 'out of luck'\nexit 1\n")
    broken.chmod(0o700)
    with pytest.raises(EmbeddedBrokerFailed, match=r"ended as soon as(?s:.)*out of luck"):
        make(program=broken).ensure(TIMEOUT_S)


def test_a_program_that_cannot_be_run_is_named(make: MakeBroker, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedBrokerFailed, match="missing-server cannot be run"):
        make(program=tmp_path / "missing-server").ensure(TIMEOUT_S)


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    embedded = EmbeddedBroker(tmp_path / "state", "main")
    for attempt in (lambda: embedded.ensure(1.0), embedded.status, lambda: embedded.stop(1.0)):
        with pytest.raises(EmbeddedBrokerFailed, match="state/main"):
            attempt()


def test_does_not_wait_for_ever_for_another_branch(make: MakeBroker, tmp_path: Path) -> None:
    directory = BrokerDirectory(tmp_path / "state" / "main")
    with (
        directory.locked(time.monotonic()),
        pytest.raises(EmbeddedBrokerFailed, match="Another branch"),
    ):
        make().ensure(0.1)
