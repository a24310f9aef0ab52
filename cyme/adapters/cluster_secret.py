"""The secret of a cluster: a file that its branches share.

Whoever can read it can join, and what a member says chooses what code runs on the machines of the
others. So the file is for the eyes of its owner alone, and another is refused.
"""

from __future__ import annotations

import os
import secrets
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from cyme.errors import DirectoryUnusable, SettingsError

#: A secret is at least so long; one that is made here carries as many bytes of chance.
SECRET_BYTES_MIN = 32
FILE_BYTES_MAX = 4096

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_secret(path: Path) -> bytes:
    """Return the secret in a file, without the white space around it.

    Raises:
        SettingsError: The file is not there, is open to others, or holds no secret; the message
            says what to do.
    """
    try:
        # Without waiting, should it be a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as exc:
        raise SettingsError(
            f"There is no cluster secret at {path}. Copy that of another branch of the cluster "
            f"to it, or make the first one: cyme-branch secret {_quoted(path)}"
        ) from exc
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    try:
        _check(path, os.fstat(descriptor))
        content = _read(descriptor)
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    finally:
        os.close(descriptor)
    secret = content.strip()
    if not SECRET_BYTES_MIN <= len(secret) <= FILE_BYTES_MAX:
        raise SettingsError(
            f"The cluster secret {path} should have {SECRET_BYTES_MIN} to {FILE_BYTES_MAX} "
            "characters, drawn by chance, and has not. Copy that of another branch of the "
            "cluster to it, or remove it and make the first one: "
            f"cyme-branch secret {_quoted(path)}"
        )
    return secret


def make_secret(path: Path) -> None:
    """Write a new secret into a new file that its owner alone can read.

    Raises:
        SettingsError: There is a file already, or it cannot be made.
    """
    try:
        _create(path)
    except FileExistsError as exc:
        raise SettingsError(
            f"{path} exists already and is left as it is: branches may use it. Name another file."
        ) from exc
    except OSError as exc:
        raise SettingsError(
            f"The cluster secret {path} cannot be written: {exc.strerror}. Name a file in a "
            "directory that this user may write to."
        ) from exc


def ensure_secret(path: Path) -> bytes:
    """Return the secret in a file, which is made if it is not there.

    Branches that do this at the same moment come to have the same secret.

    Raises:
        DirectoryUnusable: The file cannot be made.
        SettingsError: As ``read_secret``.
    """
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(FileExistsError):
                _create(path)
        except OSError as exc:
            raise DirectoryUnusable(
                f"The cluster secret {path} cannot be written: {exc.strerror}. Choose a directory "
                "that this user may write to, with --state-dir, or name a file with "
                "--cluster-secret."
            ) from exc
    return read_secret(path)


def _create(path: Path) -> None:
    """Make the file with a new secret, which is there as a whole or not at all.

    Raises:
        FileExistsError: There is one already.
        OSError: It cannot be made.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(fresh, flags, 0o600)
    try:
        with os.fdopen(descriptor, "w") as target:
            os.fchmod(target.fileno(), 0o600)
            target.write(secrets.token_urlsafe(SECRET_BYTES_MIN) + "\n")
            target.flush()
            os.fsync(target.fileno())
        # Unlike a renaming, this fails where somebody else was first.
        os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def _read(descriptor: int) -> bytes:
    content = b""
    while len(content) <= FILE_BYTES_MAX and (more := os.read(descriptor, FILE_BYTES_MAX + 1)):
        content += more
    return content


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"The cluster secret {path} is not a file. Name one that holds it.")
    user = os.geteuid()
    if status.st_uid not in {user, 0}:
        raise SettingsError(
            f"The cluster secret {path} belongs to the user with the number {status.st_uid}, who "
            f"could change it, and the branch runs as {user}. Make it its own: "
            f"chown {user} {_quoted(path)}"
        )
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise SettingsError(
            f"The cluster secret {path} is open to other users, who could join the cluster with "
            f"it. Make it private: chmod 600 {_quoted(path)}"
        )


def _unreadable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"The cluster secret {path} cannot be read: {error.strerror}. It has to be readable for "
        f"the user with the number {os.geteuid()}, and for nobody else."
    )


def _quoted(path: Path) -> str:
    """Return a path as it is written in a command."""
    return shlex.quote(str(path))
