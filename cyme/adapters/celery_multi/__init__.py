"""Worker processes: started through celery multi, found again, looked at, signalled, swept."""

from cyme.adapters.celery_multi.workers import CeleryMulti

__all__ = ["CeleryMulti"]
