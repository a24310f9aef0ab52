"""Remote control of Celery workers: ``cyme.core.ports.Controls`` over kombu."""

from cyme.adapters.celery_control.control import CeleryControl, CeleryControls

__all__ = ["CeleryControl", "CeleryControls"]
