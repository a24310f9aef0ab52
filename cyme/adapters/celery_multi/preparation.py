"""From a launch to the environment and the options that a certain interpreter can take."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cyme
from cyme.adapters.celery_multi.interpreters import Interpreter, Interpreters
from cyme.core.workers import Launch
from cyme.errors import WorkerStartFailed

#: The variable by which a worker and its descendants are known.
MARK = "CYME_WORKER"
OWN_TASKS = "cyme.tasks"

#: What is meant for the branch itself, not for its workers (sd_notify(3), sd_listen_fds(3)).
_BRANCH_ONLY = frozenset(
    {
        *("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "MAINPID", "INVOCATION_ID"),
        *("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "FDSTORE", "JOURNAL_STREAM"),
        "__PYVENV_LAUNCHER__",
    }
)
_BRANCH_PREFIX = "CYME_"

Options = Sequence[tuple[str, str | None]]


def prepare(
    launch: Launch,
    *,
    mark: str,
    inherited: Mapping[str, str],
    workdir: str,
    interpreters: Interpreters,
) -> tuple[Mapping[str, str], Options]:
    """Return a worker's environment and options.

    Args:
        launch: What is to be started.
        mark: By what the worker and its descendants are to be known.
        inherited: The branch's environment.
        workdir: The directory that the worker will run in.
        interpreters: Says what the launch's interpreter can import.

    Raises:
        WorkerStartFailed: The interpreter is missing, or lacks what the launch needs.
    """
    env = _environment(launch, mark, inherited)
    able = interpreters.ask(launch.python, env=env, workdir=workdir)
    if not able.has_own_tasks and _is_own_interpreter(launch.python):
        # A branch that runs from a checkout has its package where nobody else looks for it.
        ours = str(Path(cyme.__file__).resolve().parent.parent)
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, env.get("PYTHONPATH", "")]))
        able = interpreters.ask(launch.python, env=env, workdir=workdir)
    _refuse_unable(launch, able)
    return env, launch.options if able.has_own_tasks else _without_own_tasks(launch.options)


def _environment(launch: Launch, mark: str, inherited: Mapping[str, str]) -> dict[str, str]:
    return {
        **{
            name: value
            for name, value in inherited.items()
            if not name.startswith(_BRANCH_PREFIX) and name not in _BRANCH_ONLY
        },
        # The package setproctitle, where the user has it, would overwrite the environment that
        # the kernel shows, and with it the mark.
        "SPT_NOENV": "1",
        **launch.env,
        MARK: mark,
    }


def _refuse_unable(launch: Launch, able: Interpreter) -> None:
    if not able.has_celery:
        raise WorkerStartFailed(
            f"{launch.python!r} has no Celery. Install it there (pip install celery), or set the "
            "parameter python to an interpreter that has it."
        )
    if launch.needs_own_app and not able.has_own_tasks:
        raise WorkerStartFailed(
            f"{launch.python!r} has no Cyme, whose application this worker would run. Install it "
            "there (pip install cyme), or set the parameter celery_app to your application."
        )


def _is_own_interpreter(python: str) -> bool:
    mine, theirs = Path(sys.executable), Path(python)
    return mine.parent == theirs.parent and mine.resolve() == theirs.resolve()


def _without_own_tasks(options: Options) -> Options:
    """Return the options without ``cyme.tasks`` among the modules to include."""
    kept: list[tuple[str, str | None]] = []
    for option, value in options:
        if option not in {"-I", "--include"} or value is None:
            kept.append((option, value))
        elif modules := [module for module in value.split(",") if module != OWN_TASKS]:
            kept.append((option, ",".join(modules)))
    return kept
