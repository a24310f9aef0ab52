"""What a row of the table of settings is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cyme.settings.kinds import Kind

ENV_PREFIX = "CYME_"


class Section(StrEnum):
    """The groups of the help, in its order."""

    BRANCH = "The branch"
    CLUSTER = "The cluster"
    BROKER = "Broker and results"
    HTTP = "HTTP and access"
    WORKERS = "Workers and their supervisor"
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


def row(
    key: str,
    section: Section,
    kind: Kind,
    text: str,
    *,
    short: str = "",
    aliases: tuple[str, ...] = (),
    default_text: str = "",
) -> Mapping[str, object]:
    """Return a row as the metadata of a field, which adds its name and its default."""
    return {
        "key": key,
        "section": section,
        "kind": kind,
        "help": text,
        "short": short,
        "aliases": aliases,
        "default_text": default_text,
    }
