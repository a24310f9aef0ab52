"""Launches of real workers for tests."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

from cyme.core.workers import Launch

APP_DIRECTORY = Path(__file__).parent

QUIET = (("--without-mingle", None), ("--without-gossip", None))


def unique(prefix: str) -> str:
    """Return a name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def launch(
    broker_url: str,
    *,
    instance: str | None = None,
    pool: str = "prefork",
    options: tuple[tuple[str, str | None], ...] = (),
    env: dict[str, str] | None = None,
    python: str = sys.executable,
    workdir: str | None = str(APP_DIRECTORY),
    config: tuple[tuple[str, str], ...] = (),
    digest: str = "d1",
) -> Launch:
    """Return the launch of a worker that runs ``sample_app``."""
    name = instance or unique("w")
    concurrency = ("--autoscale", "1,1") if pool == "prefork" else ("--concurrency", "1")
    return Launch(
        instance=name,
        node=f"{name}@test",
        python=python,
        options=(
            ("-A", "sample_app"),
            ("-P", pool),
            ("-Q", f"dq.{name}"),
            ("--loglevel", "INFO"),
            concurrency,
            *QUIET,
            *options,
        ),
        config=(("broker_connection_retry_on_startup", "True"), *config),
        env={"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": "rpc://", **(env or {})},
        workdir=workdir,
        needs_own_app=False,
        digest=digest,
    )
