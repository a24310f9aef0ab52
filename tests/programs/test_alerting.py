from __future__ import annotations

import os
from pathlib import Path

import pytest

from cyme.errors import SettingsError
from cyme.programs.alerting import alert_secret, outboxes_of, thresholds_of
from cyme.settings import Settings

SECRET = b"0123456789abcdef"


def in_file(path: Path, content: bytes = SECRET + b"\n", mode: int = 0o600) -> Settings:
    path.write_bytes(content)
    path.chmod(mode)
    return Settings(alert_secret_file=path)


def test_the_secret_comes_from_its_file_or_the_environment_and_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYME_ALERT_SECRET", raising=False)
    assert alert_secret(Settings()) is None
    assert alert_secret(in_file(tmp_path / "secret")) == SECRET
    monkeypatch.setenv("CYME_ALERT_SECRET", "a secret of the environment")
    assert alert_secret(Settings()) == b"a secret of the environment"
    assert "CYME_ALERT_SECRET" not in os.environ
    monkeypatch.setenv("CYME_ALERT_SECRET", "a secret of the environment")
    assert alert_secret(in_file(tmp_path / "secret")) == SECRET
    assert "CYME_ALERT_SECRET" not in os.environ


def test_a_secret_that_is_none_is_refused_and_not_told(tmp_path: Path) -> None:
    for settings, words in [
        (in_file(tmp_path / "short", b"hush"), "openssl rand"),
        (in_file(tmp_path / "open", mode=0o640), "chmod 600"),
        (Settings(alert_secret_file=tmp_path), "cannot be read"),
        (Settings(alert_secret_file=tmp_path / "other"), "cannot be read"),
    ]:
        with pytest.raises(SettingsError, match=words) as caught:
            alert_secret(settings)
        assert "hush" not in str(caught.value)
        assert SECRET.decode() not in str(caught.value)


def test_depths_are_for_all_queues_and_for_those_of_a_name() -> None:
    assert thresholds_of(Settings()).of("any") == 10_000
    given = thresholds_of(Settings(alert_depths=((None, 5), ("big", 500), ("any", 0))))
    assert [given.of(queue) for queue in ("other", "big", "any")] == [5, 500, 0]
    assert thresholds_of(Settings(alert_depths=(("big", 500),))).of("other") == 10_000


def test_every_target_has_what_brings_alerts_to_it() -> None:
    settings = Settings(alert_urls=("http://a.example/x", "http://b.example"))
    assert len(outboxes_of(settings, SECRET)) == 2
