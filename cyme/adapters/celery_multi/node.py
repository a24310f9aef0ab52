"""A node of celery multi that is started as our own child.

``celery.apps.multi.Node`` joins its options into one line, expands ``%`` in it and splits it as
a shell would. Whatever goes in is therefore quoted and escaped first, so that every value reaches
the worker as it was given.

``Node`` would start ``celery worker --detach`` and wait for it, which loads Celery twice and hides
how the worker ends. Here the worker is a child with a session of its own: it outlives us as a
detached one does, and while we live we learn of its end at once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from celery.apps.multi import Node

from cyme.adapters.celery_multi.child import Child, spawn
from cyme.errors import WorkerStartFailed

#: Options that would make another process of the worker than the one that was started.
_REFUSED = frozenset({"-n", "--hostname", "-D", "--detach", "--executable", "--workdir"})

#: ``celery worker`` itself expands ``%`` in these, after ``Node`` did.
_EXPANDED_TWICE = frozenset({"--pidfile", "--logfile", "--statedb"})

_NODE_NAME = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9_.-]+")
_OPTION = re.compile(r"-[A-Za-z]|--[A-Za-z][A-Za-z0-9-]*")
_SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


class WorkerNode(Node):  # type: ignore[misc] # Celery has no types
    """One worker of celery multi.

    Args:
        name: Its node name, ``<instance>@<branch>``.
        python: Absolute path of the interpreter that runs it.
        options: Options of ``celery worker``; None is a bare flag.
        files: ``--pidfile``, ``--logfile``, ``--statedb``; they win over such options.
        config: Celery settings, given behind ``--``.

    Raises:
        WorkerStartFailed: A name is not of the form that celery multi reads as it is meant.
    """

    def __init__(
        self,
        name: str,
        *,
        python: str,
        options: Iterable[tuple[str, str | None]],
        files: Mapping[str, str],
        config: Sequence[tuple[str, str]] = (),
    ) -> None:
        if _NODE_NAME.fullmatch(name) is None:
            raise WorkerStartFailed(
                f"{name!r} is not a node name: it takes the form <instance>@<branch>, both of "
                "letters, digits, '.', '_' and '-'."
            )
        self._python = shlex.quote(python)
        super().__init__(
            name,
            cmd="-m celery worker",
            options={
                **{_checked(option): _quoted(option, value) for option, value in options},
                **{option: _quoted(option, value) for option, value in files.items()},
            },
            extra_args=_settings(config),
        )

    def _annotate_with_default_opts(self, options: dict[str, str]) -> dict[str, str]:
        """Add the node's name, and no defaults: those make directories of quoted paths."""
        return {**options, "-n": self.name}

    @property
    def executable(self) -> str:
        """The interpreter, quoted as ``prepare_argv`` expects it."""
        return self._python

    @property
    def command_line(self) -> list[str]:
        """The whole command line, as the worker gets it."""
        return list(self.prepare_argv(self.argv, self.executable))

    def _waitexec(
        self,
        argv: Sequence[str],
        path: str,
        env: Mapping[str, str],
        *,
        cwd: str,
        log_fd: int,
    ) -> Child:
        """Start the worker and do not wait for it; ``Node.start`` passes its arguments here."""
        return spawn(self.prepare_argv(argv, path), env=env, cwd=cwd, log_fd=log_fd)


def _checked(option: str) -> str:
    if _OPTION.fullmatch(option) is None:
        raise WorkerStartFailed(f"{option!r} is not an option of celery worker.")
    if option in _REFUSED:
        raise WorkerStartFailed(f"{option} cannot be given to a worker: Cyme sets it itself.")
    return option


def _quoted(option: str, value: str | None) -> str:
    """Return a value that comes out of Node's expansion and splitting as it goes in."""
    if value is None:
        return ""
    escaped = value.replace("%", "%%")
    if option in _EXPANDED_TWICE:
        escaped = escaped.replace("%", "%%")
    return shlex.quote(escaped)


def _settings(config: Sequence[tuple[str, str]]) -> str:
    """Return the settings as they stand behind the options; nothing is expanded there."""
    for name, _ in config:
        if _SETTING.fullmatch(name) is None:
            raise WorkerStartFailed(f"{name!r} is not the name of a Celery setting.")
    quoted = [shlex.quote(f"{name}={value}") for name, value in config]
    return " ".join(["--", *quoted]) if quoted else ""
