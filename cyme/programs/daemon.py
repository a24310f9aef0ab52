"""The process: going to the background, its pid file, its user and its limits.

The background process is a fresh one, not a fork of this: it is patched from its first
statement as in the foreground, and inherits neither threads nor open files. It has a session
of its own and keeps standard error until it is ready, so that whoever started it reads the
banner or the error where the command was given.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cyme.errors import DirectoryLocked, SettingsError
from cyme.settings import take_home_of

READY_FLAG = "--ready-fd"

#: More open files than this need no branch, and make programs slow that close all of them.
OPEN_FILES_MAX = 65_536

_PID_CHARS_MAX = 32
_READY = b"1"


def detach(arguments: Sequence[str]) -> int:
    """Start the branch of this command line in the background.

    Args:
        arguments: The arguments that this process was given, as in ``sys.argv[1:]``.

    Returns:
        0 once the branch is ready, else the exit code that it ended with.
    """
    receiver, sender = os.pipe()
    launcher = sys.orig_argv[1 : len(sys.orig_argv) - len(arguments)]
    word = [arguments[0]] if arguments[:1] == ["run"] else []
    command = [
        sys.executable,
        *launcher,
        *word,
        f"{READY_FLAG}={sender}",
        *arguments[len(word) :],
    ]
    try:
        child = subprocess.Popen(  # noqa: S603 - the command that this process was started with
            command, stdin=subprocess.DEVNULL, pass_fds=(sender,), start_new_session=True
        )
    finally:
        os.close(sender)
    with os.fdopen(receiver, "rb") as stream:
        # It ends with the background process, or when that has said that it is ready.
        if stream.read(1) == _READY:
            # The process goes on without this one, which therefore does not wait for it.
            child.returncode = 0
            return 0
    return child.wait() or 1


def tell_ready(descriptor: int) -> None:
    """Tell the waiting command that the branch is ready, and leave its terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    with suppress(OSError):  # nobody waits any more, which is no reason to stop
        os.write(descriptor, _READY)
    os.close(descriptor)


class PidFile:
    """A file that holds the process id while the process lives.

    A lock on it, and not the number in it, says that the process lives; so one that was left
    behind after a crash is taken over, whatever process has its number by now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._descriptor: int | None = None

    def write(self) -> None:
        """Take the file.

        Raises:
            DirectoryLocked: The process that wrote it lives.
            SettingsError: It cannot be written, or is no pid file.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as exc:
            raise self._unwritable(exc) from exc
        try:
            self._take(descriptor)
        except BaseException as exc:
            os.close(descriptor)
            if isinstance(exc, OSError):
                raise self._unwritable(exc) from exc
            raise
        self._descriptor = descriptor

    def remove(self) -> None:
        """Remove the file, or empty it where the process may not remove it any more."""
        if self._descriptor is None:
            return
        try:
            if os.path.samestat(self._path.stat(), os.fstat(self._descriptor)):
                self._path.unlink()
        except OSError:
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def _take(self, descriptor: int) -> None:
        written = os.pread(descriptor, _PID_CHARS_MAX, 0)
        if written.strip() and not written.strip().isdigit():
            raise SettingsError(f"--pidfile: {self._path} holds something else; name another file.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise DirectoryLocked(
                f"The process {written.decode().strip() or '?'} that wrote the pid file "
                f"{self._path} still runs; stop it first, or name another file."
            ) from exc
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _unwritable(self, error: OSError) -> SettingsError:
        return SettingsError(
            f"--pidfile: {self._path} cannot be written ({error.strerror or error}). Name another "
            "file, on a disk that has room."
        )


def become(uid: int | None, gid: int | None) -> None:
    """Take on another user and group, for good.

    Args:
        uid: The user, or None for no change.
        gid: The group; None is the user's own, or no change where there is no user either.

    Raises:
        SettingsError: The process may not do that.
    """
    if uid is None and gid is None:
        return
    try:
        account = None if uid is None else pwd.getpwuid(uid)
    except KeyError:
        account = None
    group = gid if gid is not None else (account.pw_gid if account else None)
    if uid is not None and group is None:
        raise SettingsError(f"--uid: the user {uid} has no entry here; name its group with --gid.")
    try:
        if os.geteuid() == 0:
            if account is not None and group is not None:
                os.initgroups(account.pw_name, group)
            else:
                os.setgroups([])
        if group is not None:
            os.setresgid(group, group, group)
        if uid is not None:
            os.setresuid(uid, uid, uid)
    except OSError as exc:
        raise SettingsError(
            f"--uid/--gid: this process may not become {uid if uid is not None else '-'}:"
            f"{group} ({exc.strerror}). Start it as root, or leave these out."
        ) from exc
    if uid is not None:
        take_home_of(uid)


def check_readable(uid: int, places: Sequence[str]) -> None:
    """Make sure that the user that this process has become can run what it runs.

    Modules are loaded when they are needed, and workers run the same interpreter: where it stands
    in a home that is closed to others, both would fail later, with a traceback.

    Args:
        uid: The user.
        places: Files of the interpreter and of the packages.

    Raises:
        SettingsError: One of them cannot be read.
    """
    for place in places:
        if not os.access(place, os.R_OK):
            raise SettingsError(
                f"--uid: the user {uid} may not read {place}, which a branch runs. Install Python "
                "and Cyme where that user may read, as in /opt."
            )


def raise_open_files() -> int:
    """Allow this process as many open files as it may have, and return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
