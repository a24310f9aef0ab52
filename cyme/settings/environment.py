"""The process's own environment: the only place that touches ``os.environ``."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from cyme.errors import SettingsError
from cyme.settings.sources import ALERT_SECRET_ENV, Flags, Loaded, load
from cyme.settings.table import TABLE, Settings

_MICROSECOND_S = 1e-6


def read_settings(flags: Flags, file: Path | None) -> Loaded:
    """Put the settings together from flags, this process's environment and files.

    Raises:
        SettingsError: A value cannot be accepted, a key is not known, or the file not readable.
    """
    return load(flags, os.environ, file=file, here=Path.cwd())


def forget_secrets() -> None:
    """Remove the variables that may hold a password, which no worker should inherit."""
    for each in TABLE:
        if each.kind.is_secret:
            os.environ.pop(each.env, None)


def take_alert_secret() -> bytes | None:
    """Return the secret that alerts are signed with, and forget it; None if there is none."""
    secret = os.environ.pop(ALERT_SECRET_ENV, "").strip()
    return secret.encode() if secret else None


def worker_environment() -> Mapping[str, str]:
    """Return what workers inherit of this process's environment."""
    return dict(os.environ)


def shared_dir(settings: Settings) -> Path:
    """Return the directory for what the branches of one user share; absolute.

    Raises:
        SettingsError: The user has no home and nothing else was said.
    """
    if settings.state_dir is not None:
        return settings.state_dir.absolute()
    base = Path(os.environ.get("XDG_STATE_HOME", ""))
    if base.is_absolute():
        return base / "cyme"
    try:
        return Path.home() / ".local" / "state" / "cyme"
    except RuntimeError as exc:
        raise SettingsError(
            "This user has no home directory; say with --state-dir where the branches of this "
            "machine may keep what they share."
        ) from exc


def take_home_of(uid: int) -> None:
    """Point the variables that speak of a person at the user that the process has become."""
    os.environ.pop("XDG_STATE_HOME", None)
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        for name in ("HOME", "USER", "LOGNAME"):
            os.environ.pop(name, None)
        return
    os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)


def take_notify_socket() -> tuple[str, float | None]:
    """Return where a service manager wants to be told, and how often, and forget both.

    They are for this process alone: a worker that inherited them could speak in its name.

    Returns:
        The address of ``NOTIFY_SOCKET``, empty if there is none, and the seconds within which a
        watchdog wants a sign of life, None if it wants none (sd_notify(3),
        sd_watchdog_enabled(3)).
    """
    address = os.environ.pop("NOTIFY_SOCKET", "")
    period = os.environ.pop("WATCHDOG_USEC", "")
    pid = os.environ.pop("WATCHDOG_PID", str(os.getpid()))
    if not period.isdigit() or pid != str(os.getpid()):
        return address, None
    return address, int(period) * _MICROSECOND_S
