"""Settings: logging."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.settings.kinds import LEVEL, PATH, SIZE, count
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class LoggingSettings:
    """How much is logged, where, and how long it is kept."""

    loglevel: str = setting(
        "loglevel",
        LEVEL,
        "How much is logged: debug, info, warning, error or critical.",
        default="INFO",
        short="l",
    )
    logfile: Path | None = setting(
        "logfile",
        PATH,
        "The log. It is opened anew when logrotate has moved it, and at SIGHUP.",
        default=None,
        short="f",
        default_text="standard error; cyme-branch.log in the directory with --detach",
    )
    log_bytes_max: int = setting(
        "log-size",
        SIZE,
        "The log of a worker, and the branch's own, is rotated once it is larger; 0 for never.",
        default=10 * 1024 * 1024,
        default_text="10M",
    )
    logs_kept: int = setting(
        "log-keep",
        count(1, 100),
        "How many earlier files are kept of each log.",
        default=5,
    )
