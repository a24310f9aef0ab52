"""Alerts: looks for trouble, tells of it, and brings it to the targets that the operator named."""

from cyme.runtime.alerts.looked import Sources, Statuses, Thresholds, Views
from cyme.runtime.alerts.outbox import AlertSender, Outbox
from cyme.runtime.alerts.watch import AlertWatch

__all__ = ["AlertSender", "AlertWatch", "Outbox", "Sources", "Statuses", "Thresholds", "Views"]
