"""What a branch can be told: one table of settings, and the sources that they come from.

Programs alone import this; everybody else receives plain values.
"""

from cyme.settings.kinds import SWITCH, Address, Kind
from cyme.settings.rows import Section, Setting
from cyme.settings.sources import (
    DEFAULT_FILE,
    Flags,
    Loaded,
    describe,
    load,
    shared_dir,
    take_secrets,
)
from cyme.settings.table import TABLE, Settings

__all__ = [
    "DEFAULT_FILE",
    "SWITCH",
    "TABLE",
    "Address",
    "Flags",
    "Kind",
    "Loaded",
    "Section",
    "Setting",
    "Settings",
    "describe",
    "load",
    "shared_dir",
    "take_secrets",
]
