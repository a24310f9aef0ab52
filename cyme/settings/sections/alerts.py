"""Settings: alerts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.settings.kinds import ALERT_TARGETS, DEPTHS, PATH
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """What is told to whom when something should be looked at."""

    alert_urls: tuple[str, ...] = setting(
        "alert-url",
        ALERT_TARGETS,
        "Where alerts are sent to by POST: an instance was given up or is silent, a branch "
        "failed, a queue is too deep or nobody consumes from it, a broker or a database is lost. "
        "May be repeated. Better given by the variable than on the command line.",
        default=(),
        default_text="nowhere",
    )
    alert_secret_file: Path | None = setting(
        "alert-secret-file",
        PATH,
        "The file with the secret that alerts are signed with, readable for its owner alone. "
        "The variable CYME_ALERT_SECRET may hold the secret instead.",
        default=None,
        default_text="alerts are not signed",
    )
    alert_depths: tuple[tuple[str | None, int], ...] = setting(
        "alert-queue-depth",
        DEPTHS,
        "How many messages may wait in a queue; 0 for any number. tasks=500 is for the queues "
        "of one name. May be repeated.",
        default=((None, 10_000),),
        default_text="10000",
    )
