"""Settings: the branch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.settings.kinds import ADDRESS, DATABASE, LOOPBACK, NAME, PATH, Address
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class BranchSettings:
    """Where it is and what it is called: the first settings of a branch."""

    address: Address = setting(
        "address",
        ADDRESS,
        "Where HTTP is served. Without ADDR it is 127.0.0.1; port 0 takes a free one.",
        default=Address(LOOPBACK, 8000),
    )
    branch_id: str | None = setting(
        "id",
        NAME,
        "The name of this branch, unique in its cluster.",
        default=None,
        short="i",
        default_text="what the directory remembers, else the host's name and a suffix",
    )
    instance_dir: Path = setting(
        "instance-dir",
        PATH,
        "The branch's directory: its database and tokens, the logs and pid files of its "
        "workers. It is created readable for its owner alone.",
        default=Path("instances"),
        short="D",
    )
    database: str | None = setting(
        "db",
        DATABASE,
        "The database for the records, as in postgresql://user@host/name or "
        "mysql://user@host/name.",
        default=None,
        default_text="SQLite in the branch's directory",
    )
    state_dir: Path | None = setting(
        "state-dir",
        PATH,
        "Where the branches of this user keep what they share: the embedded broker, and the "
        "secret of a cluster on this machine.",
        default=None,
        default_text="$XDG_STATE_HOME/cyme or ~/.local/state/cyme",
    )
