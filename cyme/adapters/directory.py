"""A branch's directory: private, locked against a second branch, and the memory of its id.

What lies in it decides what code runs on this machine, so nobody else may write to it or read the
secrets in it. A directory that others can read is made private where it is empty or a branch's
already, and refused otherwise: it may be somebody's home.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import socket
import stat
from pathlib import Path

from cyme.core.names import NAME_CHARS_MAX, check_name
from cyme.errors import DirectoryLocked, DirectoryUnusable, InvalidRequest, SettingsError

logger = logging.getLogger(__name__)

LOCK_FILE = "branch.lock"
ID_FILE = "branch.id"

_ID_CHANCE_BYTES = 2
_ID_FILE_BYTES_MAX = 1024
_PID_CHARS_MAX = 20


class BranchDirectory:
    """The directory that a branch lives in.

    Args:
        path: Where it is; relative to the working directory at the time of ``open``.

    Attributes:
        path: The same; absolute and without links once it is open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def open(self) -> None:
        """Make the directory where it is not there yet, and lock it until ``close``.

        The lock goes with the process, however that ends, and is not inherited by programs that
        it starts.

        Raises:
            DirectoryUnusable: It cannot be made, written or kept private.
            DirectoryLocked: Another branch runs on it.
        """
        try:
            self.path = self.path.resolve()
            # By itself mkdir would leave the modes of parents to the umask.
            for directory in (*reversed(self.path.parents), self.path):
                directory.mkdir(mode=0o700, exist_ok=True)
            self._make_private()
            self._lock = self._take_lock()
        except (OSError, RuntimeError) as exc:
            raise self._unusable(_in_words(exc)) from exc

    def close(self) -> None:
        """Unlock the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def branch_id(self, wanted: str | None) -> str:
        """Return the id of the branch that lives here, and remember it.

        Args:
            wanted: What the user asks for. None: what is remembered, or a new one made of the
                host's name and a little chance.

        Raises:
            SettingsError: ``wanted`` is not a name.
            DirectoryUnusable: Another branch lives here, or the id cannot be read or written.
        """
        assert self._lock is not None, "the directory is open"
        if wanted is not None:
            try:
                check_name("branch", wanted)
            except InvalidRequest as exc:
                raise SettingsError(f"--id: {exc.detail}") from exc
        remembered = self._remembered_id()
        if remembered is None:
            chosen = wanted or _new_id(socket.gethostname())
            self._remember_id(chosen)
            return chosen
        if wanted not in (None, remembered):
            raise DirectoryUnusable(
                f"The directory {self.path} belongs to branch {remembered!r}, and this is to be "
                f"branch {wanted!r}. Start with --id {remembered} or without --id, or choose "
                "another directory with --instance-dir."
            )
        return remembered

    def _make_private(self) -> None:
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise self._unusable(
                f"it belongs to the user with the number {status.st_uid}, and the branch runs as "
                f"{os.geteuid()}"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            entries = {entry.name for entry in self.path.iterdir()}
            if entries and LOCK_FILE not in entries:
                raise DirectoryUnusable(
                    f"The directory {self.path} holds files of others than a branch and is open "
                    f"to other users. Choose another with --instance-dir, or make it private: "
                    f"chmod 700 {self.path}"
                )
            self.path.chmod(0o700)

    def _take_lock(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path / LOCK_FILE, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as exc:
            holder = os.pread(descriptor, _PID_CHARS_MAX, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise DirectoryLocked(
                f"A branch runs on the directory {self.path} already, with the process id "
                f"{holder or 'unknown'}. Stop it first, or choose another directory with "
                "--instance-dir."
            ) from exc
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _remembered_id(self) -> str | None:
        file = self.path / ID_FILE
        try:
            with file.open("rb") as source:
                name = source.read(_ID_FILE_BYTES_MAX).decode().strip()
            return check_name("branch", name)
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, InvalidRequest) as exc:
            raise DirectoryUnusable(
                f"{file} should hold the id of this directory's branch, and does not. Write the "
                "id into it; where no worker runs here any more, removing the file will do."
            ) from exc

    def _remember_id(self, name: str) -> None:
        file = self.path / ID_FILE
        fresh = file.with_suffix(".fresh")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(fresh, flags, 0o600), "w") as target:
                target.write(name + "\n")
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(file)
        except OSError as exc:
            raise self._unusable(_in_words(exc)) from exc

    def _unusable(self, why: str) -> DirectoryUnusable:
        return DirectoryUnusable(
            f"The directory {self.path} cannot be used: {why}. Give the branch a directory of its "
            "own that it may write to, with --instance-dir."
        )


def _new_id(hostname: str) -> str:
    """Return a new id that says which machine it is, and differs between branches of one."""
    chance = secrets.token_hex(_ID_CHANCE_BYTES)
    host = re.sub(r"[^A-Za-z0-9._-]+", "-", hostname).strip(".-")
    return f"{host[: NAME_CHARS_MAX - len(chance) - 1] or 'branch'}-{chance}"


def _in_words(error: OSError | RuntimeError) -> str:
    """Return what went wrong, and with which file where that is known."""
    match error:
        case FileExistsError() | NotADirectoryError():
            return f"{error.filename} is not a directory"
        case OSError():
            return f"{error.strerror} ({error.filename})" if error.filename else str(error)
        case _:
            return str(error)
