"""Load on a server, made by a client in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.failure import BenchmarkFailed
from benchmarks.http_client import Tally
from benchmarks.machine import ROOT

Address = tuple[str, int]

#: What the client may take beyond its own time, in seconds.
PATIENCE_S = 60.0


def flood(
    address: Address,
    path: str,
    *,
    seconds: float,
    connections: int,
    method: str = "GET",
    slots: int = 1,
    first: int = 0,
) -> Tally:
    """Keep ``connections`` busy for ``seconds`` and return what came of it.

    Args:
        address: The server's.
        path: Path and query; ``{n}`` and ``{slot}`` as in ``http_client.Requests``.
        seconds: For how long.
        connections: How many, 1 or more.
        method: The verb.
        slots: How many slots ``{slot}`` runs through.
        first: The number of the first request.

    Raises:
        BenchmarkFailed: The client failed, or a request did.
    """
    client = _client(
        address=address,
        method=method,
        path=path,
        slots=slots,
        first=first,
        seconds=seconds,
        connections=connections,
    )
    return _tally(client, timeout_s=seconds + PATIENCE_S)


@dataclass(slots=True)
class Probe:
    """A probe under way; ``tally`` is there once it has ended."""

    tally: Tally | None = None


@contextmanager
def probing(address: Address, path: str, *, rate: float) -> Iterator[Probe]:
    """Read ``path`` at ``rate`` requests a second meanwhile.

    Raises:
        BenchmarkFailed: The client failed, or a request did.
    """
    client = _client(address=address, method="GET", path=path, rate=rate)
    probe = Probe()
    try:
        yield probe
        probe.tally = _tally(client, timeout_s=PATIENCE_S)
    finally:
        if client.poll() is None:
            client.kill()
            client.wait()


def _client(**order: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.http_client", json.dumps(order)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _tally(client: subprocess.Popen[str], *, timeout_s: float) -> Tally:
    try:
        output, complaints = client.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as exc:
        client.kill()
        client.communicate()
        raise BenchmarkFailed(f"The HTTP client did not end within {timeout_s} s.") from exc
    if client.returncode:
        reason = complaints.strip().rpartition("\n")[2]
        raise BenchmarkFailed(f"The HTTP client failed: {reason}")
    tally = Tally(**json.loads(output))
    if tally.failed or not tally.latencies_s:
        raise BenchmarkFailed(
            f"{tally.failed} of {len(tally.latencies_s)} requests failed: {tally.first_failure}"
        )
    return tally
