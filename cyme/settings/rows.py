"""What a row of the table of settings is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cyme.settings.kinds import Kind

ENV_PREFIX = "CYME_"


class Section(StrEnum):
    """The groups of the help, in its order."""

    BRANCH = "The branch"
    CLUSTER = "The cluster"
    BROKER = "Broker and results"
    HTTP = "HTTP and access"
    WORKERS = "Workers and their supervisor"
    ALERTS = "Alerts"
    LOGGING = "Logging"
    PROCESS = "The process"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    Attributes:
        field: The name of the attribute of ``Settings``.
        key: The key in a settings file, which is the long flag without its dashes.
        section: Where the help shows it.
        kind: What values it takes.
        default: Its value when nobody gives one.
        help: What it does, for people who see it for the first time.
        short: A one-letter flag, or empty.
        aliases: Other long flags, with their dashes.
        default_text: What the help calls the default, where its value does not say it.
    """

    field: str
    key: str
    section: Section
    kind: Kind
    default: object
    help: str
    short: str
    aliases: tuple[str, ...]
    default_text: str

    @property
    def env(self) -> str:
        """The environment variable."""
        return ENV_PREFIX + self.key.replace("-", "_").upper()

    @property
    def flag(self) -> str:
        """The long flag; the address is an argument and has none."""
        return "[ADDR]:PORT" if self.key == "address" else f"--{self.key}"


def setting(
    key: str,
    kind: Kind,
    text: str,
    *,
    default: object,
    short: str = "",
    aliases: tuple[str, ...] = (),
    default_text: str = "",
) -> Any:
    """Return the field of a section that is a row; see ``Setting`` for the arguments.

    What may hold a password is left out where settings are printed.
    """
    row = {
        "key": key,
        "kind": kind,
        "help": text,
        "short": short,
        "aliases": aliases,
        "default_text": default_text,
    }
    return field(default=default, repr=not kind.is_secret, metadata=row)
