"""The checkout's own environment, which ``bin/test`` and ``bin/demo`` share.

It stands in ``.venv`` and is made once: a stamp in it names the pyproject.toml, the checkout and
the interpreter it was made for, and it is made anew when one of them has changed. Packages come
from wherever this machine's pip takes them; ``PIP_*`` variables work as usual.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
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


def environment(extra: str = "") -> Path:
    """Return the interpreter of an environment that holds this checkout.

    Args:
        extra: The optional dependencies that it must have too.

    Raises:
        SystemExit: It cannot be made; what pip or venv said stands above.
    """
    python = VENV / "bin" / "python"
    fingerprint = _fingerprint()
    stamp = _read_stamp()
    same = python.exists() and stamp.get("fingerprint") == fingerprint
    extras = stamp.get("extras", "").split() if same else []
    if same and (not extra or extra in extras):
        return python
    print(f"Making the environment in {VENV} (once; about a minute) ...", flush=True)
    if not same:
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)], hint="apt install python3-venv")
    what = f"{ROOT}[{extra}]" if extra else str(ROOT)
    _run(
        [str(python), "-m", "pip", "install", "-qq", "--editable", what],
        hint="pip needs an index, or PIP_INDEX_URL / PIP_FIND_LINKS that name one",
    )
    STAMP.write_text(
        json.dumps({"fingerprint": fingerprint, "extras": " ".join([*extras, extra]).strip()})
    )
    return python


def _fingerprint() -> str:
    project = (ROOT / "pyproject.toml").read_bytes()
    made_for = f"{ROOT} {sys.version_info[:2]} {sys.base_prefix}".encode()
    return hashlib.sha256(project + made_for).hexdigest()


def _read_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def _run(command: list[str], *, hint: str) -> None:
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"\nThis did not work: {' '.join(command)}\nIf it is missing here: {hint}")
