"""The table of settings, put together from its sections.

A setting ``stop_timeout_s`` with the key ``stop-timeout`` is the flag ``--stop-timeout``, the
variable ``CYME_STOP_TIMEOUT`` and the key ``stop-timeout`` of the settings file. It stands once, in
its file of ``cyme.settings.sections``: its type is the annotation, what is accepted is its kind,
and the help is what ``cyme-branch --help`` and the documentation print.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from cyme.settings.rows import Section, Setting
from cyme.settings.sections.alerts import AlertSettings
from cyme.settings.sections.branch import BranchSettings
from cyme.settings.sections.broker import BrokerSettings
from cyme.settings.sections.cluster import ClusterSettings
from cyme.settings.sections.http import HttpSettings
from cyme.settings.sections.logs import LoggingSettings
from cyme.settings.sections.process import ProcessSettings
from cyme.settings.sections.workers import WorkerSettings

SECTIONS = {
    Section.BRANCH: BranchSettings,
    Section.CLUSTER: ClusterSettings,
    Section.BROKER: BrokerSettings,
    Section.HTTP: HttpSettings,
    Section.WORKERS: WorkerSettings,
    Section.ALERTS: AlertSettings,
    Section.LOGGING: LoggingSettings,
    Section.PROCESS: ProcessSettings,
}


@dataclass(frozen=True, kw_only=True)
class Settings(
    BranchSettings,
    ClusterSettings,
    BrokerSettings,
    HttpSettings,
    WorkerSettings,
    AlertSettings,
    LoggingSettings,
    ProcessSettings,
):
    """What a branch was told, from whichever source; the rows of the table."""


#: The rows in their order.
TABLE = tuple(
    Setting(field=each.name, section=section, default=each.default, **each.metadata)
    for section, settings in SECTIONS.items()
    for each in fields(settings)
)
