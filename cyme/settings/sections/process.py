"""Settings: the process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.settings.kinds import GROUP, PATH, SWITCH, UMASK, USER, count
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """What the process is to the system that runs it."""

    detach: bool = setting(
        "detach",
        SWITCH,
        "Run in the background. The command returns when the branch is ready, or with its error.",
        default=False,
    )
    pidfile: Path | None = setting(
        "pidfile",
        PATH,
        "A file for the process id.",
        default=None,
        default_text="none",
    )
    uid: int | None = setting(
        "uid",
        USER,
        "The user to become once the address is bound (name or number).",
        default=None,
        default_text="unchanged",
    )
    gid: int | None = setting(
        "gid",
        GROUP,
        "The group to become once the address is bound (name or number).",
        default=None,
        default_text="the user's own",
    )
    umask: int | None = setting(
        "umask",
        UMASK,
        "The file mode mask, in octal.",
        default=None,
        default_text="unchanged",
    )
    workdir: Path | None = setting(
        "workdir",
        PATH,
        "The directory to change to first; relative paths of other settings start there.",
        default=None,
        default_text="the current one",
    )
    numc: int = setting(
        "numc",
        count(1, 1_000_000),
        "Accepted for old command lines, and shown with the branch. It was the number of "
        "controllers; one process now serves all requests at once.",
        default=2,
        short="C",
    )
