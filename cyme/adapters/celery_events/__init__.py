"""Celery's events of tasks and workers: ``cyme.core.ports.EventListeners`` over kombu and Redis."""

from cyme.adapters.celery_events.listeners import CeleryEventListeners
from cyme.adapters.celery_events.turns import HUB_SHARE_MAX

__all__ = ["CeleryEventListeners", "HUB_SHARE_MAX"]
