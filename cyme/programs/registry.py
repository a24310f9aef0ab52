"""Which branches run on this machine: one small file for each, in the state directory.

A branch that is ready writes ``<state-dir>/branches/<id>.json`` and removes it at its end. A file
says whose it is by pid and start time, so that one that was left behind by a crash counts for
nothing, whatever process has its pid by now.

It loads the standard library alone: the ``cyme`` command reads it before it does anything else.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

BRANCHES_DIR = "branches"
ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105 - the name of a file

#: So many files are read at most, and so much of each.
FILES_MAX = 1_000
FILE_BYTES_MAX = 16_384

_SUFFIX = ".json"
_START_TIME_FIELD = 19  # of what follows the name of a process in proc(5), from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBranch:
    """A branch that runs on this machine.

    Attributes:
        id: The branch.
        url: Where it serves HTTP, or None.
        directory: Its directory; absolute.
        pid: Its process id.
        started: What tells its process from others of that pid; empty where that is not known.
        cluster: The name of its cluster.
    """

    id: str
    url: str | None
    directory: str
    pid: int
    started: str
    cluster: str

    @property
    def token_file(self) -> Path:
        """The file with the administrator's token, if its owner has not removed it."""
        return Path(self.directory) / ADMIN_TOKEN_FILE


def state_dir(environ: Mapping[str, str]) -> Path | None:
    """Return the state directory of the user whose environment this is; None without a home."""
    named = environ.get("CYME_STATE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "cyme"
    try:
        return Path.home() / ".local" / "state" / "cyme"
    except RuntimeError:
        return None


def running(state: Path) -> list[RunningBranch]:
    """Return the branches that run now, sorted by id; what is stale or illegible is left out.

    Args:
        state: The state directory; it need not exist.
    """
    try:
        entries = sorted((state / BRANCHES_DIR).glob(f"*{_SUFFIX}"))[:FILES_MAX]
    except OSError:
        return []
    found = [branch for entry in entries if (branch := _read(entry)) and _lives(branch)]
    return sorted(found, key=lambda branch: (branch.id, branch.pid))


class Registration:
    """The file of one branch.

    Args:
        state: The state directory.
        branch: What the file says.
    """

    def __init__(self, state: Path, branch: RunningBranch) -> None:
        self._directory = state / BRANCHES_DIR
        self._branch = branch
        self._written: Path | None = None

    def write(self) -> None:
        """Write the file, readable for this user alone; a reader sees all of it or nothing.

        Raises:
            OSError: It cannot be written.
        """
        for directory in (self._directory.parent, self._directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._free_path()
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self._branch), file)
        fresh.replace(path)
        self._written = path

    def remove(self) -> None:
        """Remove the file, if it is still this branch's."""
        if self._written is not None and _read(self._written) == self._branch:
            with contextlib.suppress(OSError):
                self._written.unlink()
        self._written = None

    def _free_path(self) -> Path:
        """Return the branch's path; another one where a branch of another cluster has its id."""
        path = self._directory / f"{self._branch.id}{_SUFFIX}"
        other = _read(path)
        if other is not None and other.pid != self._branch.pid and _lives(other):
            return self._directory / f"{self._branch.id}.{self._branch.pid}{_SUFFIX}"
        return path


def start_mark(pid: int) -> str:
    """Return what tells a process from others that had or will have its pid.

    Empty where the system does not tell, or there is no such process.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The command's name stands in parentheses and may hold anything, parentheses included.
        return f"{boot}:{int(stat[stat.rindex(b')') + 2 :].split()[_START_TIME_FIELD])}"
    except (OSError, ValueError, IndexError):
        return ""


def _lives(branch: RunningBranch) -> bool:
    if branch.started:
        return start_mark(branch.pid) == branch.started
    try:
        os.kill(branch.pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> RunningBranch | None:
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(FILE_BYTES_MAX))
        url = fields["url"]
        return RunningBranch(
            id=str(fields["id"]),
            url=None if url is None else str(url),
            directory=str(fields["directory"]),
            pid=_pid(fields["pid"]),
            started=str(fields["started"]),
            cluster=str(fields["cluster"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pid(value: object) -> int:
    """Return a process id; 0 and less would name whole groups of processes."""
    if not isinstance(value, int) or value <= 0:
        raise ValueError(value)
    return value
