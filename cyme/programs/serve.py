"""Runs a branch from its first breath to its last."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable

import gevent

from cyme.errors import CymeError, DuplicateBranch, SettingsError, StartupError
from cyme.programs import daemon, logs
from cyme.programs.banner import Facts, banner, fate_of_workers, summary
from cyme.programs.binding import bind
from cyme.programs.lifetimes import Lifetimes, Progress, StopAsked
from cyme.programs.registry import Registration, RunningBranch, start_mark
from cyme.programs.signals import Signals
from cyme.programs.systemd import ServiceManager
from cyme.programs.wiring import Wiring
from cyme.settings import (
    Loaded,
    Settings,
    describe,
    forget_secrets,
    shared_dir,
    take_notify_socket,
)

logger = logging.getLogger(__name__)

#: Native threads write the database and scan processes; the hub, which serves everybody, gets the
#: interpreter back from them after so long, in seconds. Python's own 5 ms add up under load.
SWITCH_INTERVAL_S = 0.0005


def serve(loaded: Loaded, *, ready_fd: int | None = None) -> int:
    """Run a branch until it is asked to stop.

    Args:
        loaded: What it was told.
        ready_fd: Where to tell that it is ready, if it runs in the background.

    Returns:
        0 when it stopped as it was asked to, 1 after a bug, which is in the log.

    Raises:
        StartupError: It cannot start; what was started has been stopped.
    """
    logs.log_to_stderr(loaded.settings.loglevel)
    logs.log_failures_of_greenlets(gevent.get_hub())
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    forget_secrets()
    signals = Signals()
    signals.install()
    manager = ServiceManager(*take_notify_socket())
    progress = Progress()
    lifetimes = Lifetimes(progress, signals.is_stop_asked)
    try:
        facts = _start(loaded, lifetimes, lambda why: signals.stop_because(DuplicateBranch(why)))
        _announce(loaded, facts)
        _register(loaded.settings, facts, lifetimes)
        manager.ready()
        if ready_fd is not None:
            daemon.tell_ready(ready_fd)
        signals.wait()
        fate = fate_of_workers(loaded.settings.stop_workers_at_exit)
        progress.tell(f"stopping; {fate}")
        logger.info("the branch stops; %s", fate)
    except StopAsked:
        logger.info("stopped before the branch was ready")
    except CymeError as exc:
        if logs.goes_to_file():  # the caller tells it on standard error
            logger.error("the branch cannot run: %s", exc)  # noqa: TRY400 - it says enough
        raise
    except Exception as exc:  # noqa: BLE001 - the last stand of the program
        return _report_bug(exc)
    finally:
        manager.stopping()
        lifetimes.stop()
        manager.stop()
    logger.info("the branch has stopped")
    return 0


def _start(loaded: Loaded, lifetimes: Lifetimes, on_halt: Callable[[str], None]) -> Facts:
    settings = loaded.settings
    _enter(settings)
    if settings.pidfile is not None:
        pidfile = daemon.PidFile(settings.pidfile)
        lifetimes.step("writing the pid file", pidfile.write, end=pidfile.remove)
    daemon.raise_open_files()
    listening = lifetimes.step("binding the address", lambda: bind(settings))
    if listening is not None:
        lifetimes.step("", lambda: None, end=listening.close)
    daemon.become(settings.uid, settings.gid)
    if settings.uid is not None:
        daemon.check_readable(settings.uid, [sys.executable, os.__file__, __file__])
    return Wiring(loaded, listening, lifetimes, on_halt).start()


def _register(settings: Settings, facts: Facts, lifetimes: Lifetimes) -> None:
    """Let the ``cyme`` command of this user find the branch; it can be told of it as well."""
    try:
        registration = Registration(
            shared_dir(settings),
            RunningBranch(
                id=facts.branch_id,
                url=facts.url,
                directory=str(facts.directory),
                pid=facts.pid,
                started=start_mark(facts.pid),
                cluster=settings.cluster,
            ),
        )
        lifetimes.step("", registration.write, end=registration.remove)
    except (OSError, SettingsError) as exc:
        logger.warning("the cyme command will not find this branch by itself: %s", exc)


def _enter(settings: Settings) -> None:
    if settings.umask is not None:
        os.umask(settings.umask)
    if settings.workdir is not None:
        try:
            os.chdir(settings.workdir)
        except OSError as exc:
            raise SettingsError(
                f"--workdir: cannot change to {settings.workdir} ({exc.strerror}). Name a "
                "directory that exists."
            ) from exc


def _announce(loaded: Loaded, facts: Facts) -> None:
    """Tell a person at a terminal what runs where, and the log the same in short."""
    if sys.stdout.isatty():
        sys.stdout.write(banner(facts, shutil.get_terminal_size().columns) + "\n")
        sys.stdout.flush()
        if not logs.goes_to_file():
            return
    for warning in facts.warnings:
        logger.warning("%s", warning)
    logger.info("branch %r is ready: %s", facts.branch_id, summary(facts))
    logger.debug("settings: %s", describe(loaded))


def _report_bug(exc: Exception) -> int:
    logger.critical("the branch ended because of a bug", exc_info=exc)
    if logs.goes_to_file():
        sys.stderr.write(f"cyme-branch: a bug ended it ({type(exc).__name__}); see the log\n")
    return StartupError.exit_code
