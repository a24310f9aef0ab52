"""Where results of queued URLs go: to where the branch looks for them.

The user's application may keep the results of its own tasks wherever it likes. Celery reads
``CELERY_RESULT_BACKEND`` before the application's own configuration, so a branch that set it
would move those results too; it names the place for its own task in ``CYME_RESULT_BACKEND``.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from celery import Task
from celery.app.backends import by_url

VARIABLE = "CYME_RESULT_BACKEND"

# A backend holds connections, which neither threads nor processes can share.
_own = threading.local()


class WebhookTask(Task):  # type: ignore[misc] # Celery is untyped
    """A task with a result backend of its own."""

    abstract = True

    @property
    def backend(self) -> Any:
        """The backend that the branch named, or the application's if it named none."""
        url = os.environ.get(VARIABLE)
        if not url:
            return self.app.backend
        if getattr(_own, "pid", None) != os.getpid():
            backend, url = by_url(url, self.app.loader)
            # A reply on its way to a branch survives a restart of RabbitMQ.
            durable = {"persistent": True} if url.startswith("rpc") else {}
            _own.backend = backend(app=self.app, url=url, serializer="json", **durable)
            _own.pid = os.getpid()
        return _own.backend
