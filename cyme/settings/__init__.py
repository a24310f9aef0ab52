"""What a branch can be told: one table of settings, and the sources that they come from.

Programs alone import this; everybody else receives plain values.
"""

from cyme.settings.environment import (
    forget_secrets,
    read_settings,
    shared_dir,
    take_alert_secret,
    take_home_of,
    take_notify_socket,
    worker_environment,
)
from cyme.settings.kinds import SWITCH, Address, Kind
from cyme.settings.rows import Section, Setting
from cyme.settings.sources import (
    DEFAULT_FILE,
    Flags,
    Loaded,
    describe,
    load,
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
    "forget_secrets",
    "load",
    "read_settings",
    "shared_dir",
    "take_alert_secret",
    "take_home_of",
    "take_notify_socket",
    "worker_environment",
]
