"""What a Python interpreter can run, found out before a worker is started with it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gevent.event import Event
from gevent.subprocess import DEVNULL, PIPE, Popen, TimeoutExpired

from cyme.errors import WorkerStartFailed

PROBE_TIMEOUT_S = 30.0
#: An answer is believed so long: whoever installs what was missing need not wait longer.
KNOWN_S = 30.0
KNOWN_MAX = 64

#: Looks for the packages without loading them, and says what it found in its last line.
_PROBE = """
from importlib.util import find_spec
def has(name):
    try:
        return find_spec(name) is not None
    except ImportError:
        return False
print()
print(*(name for name in ("celery", "cyme.tasks") if has(name)))
"""

_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONNOUSERSITE")


#: An interpreter, where it runs, and what it is told.
_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What one interpreter can import.

    Attributes:
        has_celery: Whether Celery is there.
        has_own_tasks: Whether ``cyme.tasks`` is there.
    """

    has_celery: bool
    has_own_tasks: bool


class Interpreters:
    """Asks interpreters what they can import, and remembers it for a while."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[float, Interpreter]] = {}
        self._asked: dict[_Key, Event] = {}

    def ask(self, python: str, *, env: Mapping[str, str], workdir: str) -> Interpreter:
        """Return what an interpreter can import in that environment and directory.

        Raises:
            WorkerStartFailed: It is not there, or is no Python interpreter.
        """
        key = (python, _mtime(python), workdir, *(env.get(name) for name in _VARIABLES))
        while (known := self._lately(key)) is None:
            asked = self._asked.get(key)
            if asked is None:
                return self._answer(key, python, env, workdir)
            # Many workers that start at once ask the same; one question does for all.
            asked.wait(PROBE_TIMEOUT_S)
        return known

    def _lately(self, key: _Key) -> Interpreter | None:
        """Return what was answered lately, if that was."""
        at, known = self._known.get(key, (0.0, None))
        return known if time.monotonic() - at < KNOWN_S else None

    def _answer(self, key: _Key, python: str, env: Mapping[str, str], workdir: str) -> Interpreter:
        """Ask an interpreter, and let all who wait for the answer go on."""
        answered = self._asked[key] = Event()
        try:
            known = _probe(python, env, workdir)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key] = (time.monotonic(), known)
        finally:
            del self._asked[key]
            answered.set()
        return known


def _mtime(python: str) -> int:
    path = Path(python)
    if not path.is_absolute():
        raise WorkerStartFailed(f"The interpreter {python!r} must be named by its absolute path.")
    try:
        changed = path.stat().st_mtime_ns
    except OSError as exc:
        raise WorkerStartFailed(
            f"There is no interpreter {python!r} on this machine ({exc.strerror}). Create the "
            "virtual environment, or set the parameter python to one that exists."
        ) from exc
    if not path.is_file() or not os.access(path, os.X_OK):
        raise WorkerStartFailed(f"{python!r} is not a program that this branch may execute.")
    return changed


def _probe(python: str, env: Mapping[str, str], workdir: str) -> Interpreter:
    try:
        child = Popen(
            [python, "-c", _PROBE],
            env=dict(env),
            cwd=workdir,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise WorkerStartFailed(f"{python!r} cannot be executed: {exc.strerror}.") from exc
    try:
        output, errors = child.communicate(timeout=PROBE_TIMEOUT_S)
    except TimeoutExpired as exc:
        raise WorkerStartFailed(
            f"{python!r} did not answer within {PROBE_TIMEOUT_S:.0f} s; is it Python?"
        ) from exc
    finally:
        child.kill()
    lines = output.decode(errors="replace").splitlines()
    if child.returncode != 0 or not lines:
        said = errors.decode(errors="replace").strip().splitlines()
        raise WorkerStartFailed(
            f"{python!r} does not work as a Python interpreter (it ended with "
            f"{child.returncode}): {said[-1] if said else 'it said nothing'}"
        )
    found = lines[-1].split()
    return Interpreter("celery" in found, "cyme.tasks" in found)
