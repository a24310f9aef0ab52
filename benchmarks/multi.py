"""The peer for starting workers: one ``celery multi start``, with Celery's own defaults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.failure import BenchmarkFailed
from benchmarks.processes import end_marked

START_TIMEOUT_S = 300.0
HOST = "bench-multi"
#: The variable by which the workers and their children are found.
MARK = "BENCHMARKS_MULTI"


@contextmanager
def started_by_multi(names: Sequence[str], broker_url: str, directory: Path) -> Iterator[list[str]]:
    """Start a worker for each name with one command, and yield their node names.

    Each has the pool prefork with one process, as Cyme's workers have; all else is Celery's
    default. The workers are gone afterwards.

    Raises:
        BenchmarkFailed: The command fails.
    """
    (directory / "bench_app.py").write_text("import celery\napp = celery.Celery('bench')\n")
    nodes = [f"{name}@{HOST}" for name in names]
    command = [
        *(sys.executable, "-m", "celery", "multi", "start", *nodes, "-A", "bench_app"),
        *("--concurrency=1", "--loglevel=INFO"),
        *(f"--pidfile={directory}/%n.pid", f"--logfile={directory}/%n%I.log"),
    ]
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": broker_url,
        "PYTHONPATH": str(directory),
        MARK: f"{directory}/",
    }
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT_S,
        )
        if done.returncode:
            raise BenchmarkFailed(f"celery multi failed: {done.stdout}{done.stderr}")
        yield nodes
    except subprocess.TimeoutExpired as exc:
        raise BenchmarkFailed(f"celery multi took more than {START_TIMEOUT_S} s.") from exc
    finally:
        end_marked(MARK, f"{directory}/")
