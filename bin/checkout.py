"""The checkout's own environment, which ``bin/test`` and ``bin/demo`` share.

It stands in ``.venv`` and is made once. A stamp in it tells for which pyproject.toml, checkout and
interpreter it was made and what was installed; where one of them has changed, it is brought up to
date. Packages come from wherever this machine's pip takes them; ``PIP_*`` variables work as usual.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "cyme-checkout.json"


def require_python() -> None:
    """Go on with a Python that is new enough, or end with a sentence that says what is missing."""
    if sys.version_info >= (3, 11):  # noqa: UP036 - an older Python is what this looks for
        return
    for minor in range(20, 10, -1):
        python = shutil.which(f"python3.{minor}")
        if python:
            os.execv(python, [python, *sys.argv])  # noqa: S606 - no shell is wanted
    sys.exit("Cyme needs Python 3.11 or newer, and there is none on the PATH.")


def run_program(module: str, needed: Sequence[str]) -> None:
    """Run a program of this checkout, and do not return.

    It takes the Python that runs it if that has what the program needs, else the environment in
    ``.venv`` that bin/test and bin/demo make.

    Args:
        module: The module whose ``main`` is the program.
        needed: The packages that it needs.
    """
    missing = [name for name in needed if find_spec(name) is None]
    if not missing:
        # What stands beside the script is not for import.
        sys.path[0] = str(ROOT)
        import_module(module).main()
    python = VENV / "bin" / "python"
    if python.exists() and Path(sys.prefix) != VENV:
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own environment
    sys.exit(
        f"{sys.executable} has no {', '.join(missing)}. Install what Cyme needs into an "
        f"environment (python3 -m venv .venv && .venv/bin/pip install -e {ROOT}), or let bin/demo "
        "make one."
    )


def environment(extra: str = "") -> Path:
    """Return the interpreter of an environment that holds this checkout.

    Programs that want it at the same time wait for the one that makes it.

    Args:
        extra: The optional dependencies that it must have too.

    Raises:
        SystemExit: It cannot be made; what pip or venv said stands above.
    """
    with _locked(ROOT):
        return _made(extra)


def _made(extra: str) -> Path:
    """Return the interpreter of the environment, which nobody else makes now."""
    python = VENV / "bin" / "python"
    stamp = _read_stamp()
    wanted = {
        "project": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "interpreter": f"{sys.version_info[:2]} of {sys.base_prefix} in {ROOT}",
        "extras": stamp.get("extras", ""),
    }
    if extra not in wanted["extras"].split():
        wanted["extras"] = f"{wanted['extras']} {extra}".strip()
    if python.exists() and stamp == wanted:
        return python
    print(f"Making the environment in {VENV} (once; about a minute) ...", flush=True)
    if not python.exists() or stamp.get("interpreter") != wanted["interpreter"]:
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)], hint="apt install python3-venv")
    extras = wanted["extras"].replace(" ", ",")
    what = f"{ROOT}[{extras}]" if extras else str(ROOT)
    _run(
        [str(python), "-m", "pip", "install", "-qq", "--editable", what],
        hint="pip needs an index, or PIP_INDEX_URL / PIP_FIND_LINKS that name one",
    )
    STAMP.write_text(json.dumps(wanted))
    return python


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep a directory to ourselves; the system ends that with the process at the latest."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def _run(command: list[str], *, hint: str) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"\nThis did not work: {' '.join(command)}\nIf it is missing here: {hint}")
