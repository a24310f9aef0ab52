"""A child process that is made without a copy of ourselves.

``fork`` copies the tables of all our memory and holds up every greenlet meanwhile, 10 to 40 ms a
child on a busy machine; ``posix_spawn`` takes a tenth of that. It knows no working directory,
so a shell goes there first and then becomes the program: its pid stays the same, and what it is
given stands behind its script, where no shell reads it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

_SHELL = "/bin/sh"
_GO_AND_BECOME = 'cd -- "$0" && exec "$@"'

_STDERR = 2

# Python ignores these for itself; a child expects them as they are by default.
_RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)


class Child:
    """A child process, whose end is learnt of at once.

    Args:
        pid: Its pid; it must have been made in this very turn of the event loop.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit_status: int | None = None
        self._ended = Event()
        self._on_end: list[Callable[[], None]] = []
        loop: Any = gevent.get_hub().loop
        loop.install_sigchld()
        self._watcher = loop.child(pid)
        self._watcher.start(self._note_end)

    def when_ended(self, call: Callable[[], None]) -> None:
        """Have ``call`` called in the hub when the child ends; it must not block."""
        self._on_end.append(call)

    def wait(self, timeout_s: float) -> int | None:
        """Return how it ended: an exit code, or minus a signal; None if it has not in time."""
        self._ended.wait(timeout_s)
        return self.exit_status

    def _note_end(self) -> None:
        self._watcher.stop()
        self.exit_status = os.waitstatus_to_exitcode(self._watcher.rstatus)
        self._watcher.close()
        self._ended.set()
        for call in self._on_end:
            call()


def spawn(command: Sequence[str], *, env: Mapping[str, str], cwd: str, log_fd: int) -> Child:
    """Start a program in a session of its own, so that it outlives us.

    Args:
        command: An absolute path and its arguments.
        env: Its whole environment.
        cwd: Where it runs; absolute.
        log_fd: Where its output goes; of our other files it inherits none.

    Raises:
        OSError: The process cannot be made.
    """
    pid = os.posix_spawn(
        _SHELL,
        [_SHELL, "-c", _GO_AND_BECOME, cwd, *command],
        dict(env),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log_fd, 1),
            (os.POSIX_SPAWN_DUP2, log_fd, 2),
            *((os.POSIX_SPAWN_CLOSE, fd) for fd in _inheritable_files()),
        ],
        setsid=True,
        setsigdef=_RESTORED_SIGNALS,
    )
    return Child(pid)


def _inheritable_files() -> list[int]:
    """Return open files that were handed to us and would be handed on; Python makes none."""
    open_files = [int(entry.name) for entry in Path("/dev/fd").iterdir()]
    return [fd for fd in open_files if fd > _STDERR and _is_inheritable(fd)]


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:  # it was the one that the list itself was read by
        return False
