"""The directory of the embedded broker: its files, its two locks and its processes."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psutil

from cyme.adapters.embedded_broker.rendezvous import HOST, Rendezvous
from cyme.errors import EmbeddedBrokerFailed

POLL_S = 0.01
LOG_BYTES_MAX = 1 << 20
TAIL_BYTES_MAX = 4096
TAIL_LINES_MAX = 10

# All who may send tasks know the password. What would put the server on the network, make it
# connect elsewhere, load code, crash it or shut the others out is for nobody.
_FORBIDDEN = ("ACL", "CONFIG", "DEBUG", "MIGRATE", "MODULE", "REPLICAOF", "SLAVEOF")

# Two databases: messages and results.
_SETTINGS = """\
bind {host}
port {port}
protected-mode yes
requirepass {password}
daemonize no
databases 2
dir {directory}
logfile {log}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


class BrokerDirectory:
    """What lies in the directory of one embedded broker; every method may raise ``OSError``.

    Args:
        path: The directory; it is made, for its owner only, when it is locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.settings = self.path / "broker.conf"
        self.log = self.path / "broker.log"
        self._rendezvous = self.path / "broker.json"
        self._lock = self.path / "broker.lock"
        self._life = self.path / "broker.alive"

    @contextmanager
    def locked(self, deadline: float) -> Iterator[None]:
        """Hold the lock of those who start and stop the server.

        Raises:
            EmbeddedBrokerFailed: Somebody else holds it until the deadline.
        """
        self._make_private()
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _take(descriptor, deadline)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def life(self, deadline: float) -> Iterator[int]:
        """Hold the server's lock and yield its descriptor, for the server to inherit.

        Raises:
            EmbeddedBrokerFailed: A server holds it.
        """
        descriptor = os.open(self._life, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _take(descriptor, deadline)
            yield descriptor
        finally:
            os.close(descriptor)

    def lives(self) -> bool:
        """Whether a server, or a fork of it, holds the server's lock."""
        try:
            descriptor = os.open(self._life, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who ask at once do not take one another for a server.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def processes(self) -> list[psutil.Process]:
        """Return the server and its forks: they run in the directory and hold its lock."""
        found = []
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self.path):
                with suppress(psutil.Error):
                    if any(file.path == str(self._life) for file in process.open_files()):
                        found.append(process)
        return found

    def rendezvous(self) -> Rendezvous | None:
        """Return where the server is met, or None if that is not known or unreadable."""
        try:
            return msgspec.json.decode(self._rendezvous.read_bytes(), type=Rendezvous)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _make_private(self) -> None:
        """Make the directory for its owner only; raises if it is somebody else's."""
        # By itself mkdir would leave the modes of parents to the umask.
        for directory in (*reversed(self.path.parents), self.path):
            directory.mkdir(mode=0o700, exist_ok=True)
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError("it is a link to another place")
        if status.st_uid != os.geteuid():
            raise PermissionError(
                f"it belongs to the user with the number {status.st_uid}, and the branch runs as "
                f"{os.geteuid()}"
            )
        self.path.chmod(0o700)

    def settle(self, place: Rendezvous) -> None:
        """Record where the server is met, and write its settings."""
        _write(self._rendezvous, msgspec.json.encode(place))
        settings = _SETTINGS.format(
            host=HOST,
            port=place.port,
            password=place.password,
            directory=_quoted(self.path),
            log=_quoted(self.log),
        )
        settings += "".join(f'rename-command {command} ""\n' for command in _FORBIDDEN)
        _write(self.settings, settings.encode())

    def open_log(self) -> int:
        """Return a descriptor of the log for a new server; a long log is put aside first."""
        with suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.open(self.log, flags, 0o600)

    def log_tail(self, offset: int) -> str:
        """Return a sentence that ends with the last lines of the log.

        Args:
            offset: Where in the log to begin, in bytes.
        """
        try:
            with self.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(offset, end - TAIL_BYTES_MAX))
                lines = log.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        if not lines:
            return f"Its log {self.log} says nothing."
        return "\n".join([f"Its log {self.log} ends:", *lines[-TAIL_LINES_MAX:]])


def _take(descriptor: int, deadline: float) -> None:
    """Take the lock, waiting for it without blocking the other greenlets."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedBrokerFailed(
                    "Another branch is starting or stopping the embedded broker and has not "
                    "finished in time. Try again; 'cyme-branch broker status' shows its state."
                ) from None
            time.sleep(POLL_S)
        else:
            return


def _quoted(path: Path) -> str:
    r"""Return the path as the server's settings take it: in quotes, odd bytes as ``\xHH``."""
    return '"' + "".join(map(_quoted_byte, os.fsencode(path))) + '"'


def _quoted_byte(byte: int) -> str:
    character = chr(byte)
    if character.isascii() and character.isprintable() and character not in '"\\':
        return character
    return f"\\x{byte:02x}"


def _write(path: Path, content: bytes) -> None:
    """Replace the file at once or not at all, readable by its owner only."""
    fresh = path.with_name(path.name + ".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    descriptor = os.open(fresh, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
