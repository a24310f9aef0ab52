"""Use cases of tasks: queue a URL, learn what became of it."""

from __future__ import annotations

from cyme.core.access import Caller, Role, require
from cyme.core.launch import result_backend_of
from cyme.core.model import App, Broker, Queue
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.errors import Conflict, InvalidRequest
from cyme.runtime.service.consumers import Consumers

#: Characters of a task's id at most.
TASK_ID_CHARS_MAX = 255


class Tasks(Consumers):
    """Tasks, which need the app's broker and nothing of the records but its declaration."""

    def send_url(
        self,
        app: str,
        queue: str,
        request: WebhookRequest,
        options: SendOptions,
        *,
        caller: Caller,
        timeout_s: float,
    ) -> str:
        """Queue an HTTP request for whichever worker consumes from the queue.

        Args:
            app: The app.
            queue: A queue of it, or ``dq.<instance>`` for one instance of it.
            request: What the worker is to request.
            options: When, and how urgently.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Returns:
            The task's id.

        Raises:
            NotFound: There is no such app or queue.
            Conflict: The instance uses another broker than its app.
            Forbidden: The caller may not do this.
            BrokerUnavailable: The broker cannot be reached.
            BrokerRefused: The broker refuses the queue's declaration.
        """
        require(caller, Role.OPERATOR, "queue URLs")
        declaration = self.destination(app, queue)
        record = self.app(app)
        task_id = self._tasks.new_id()
        self._tasks.send(
            task_id,
            broker=self._broker_of(record),
            result_backend=self._results_of(record),
            queue=declaration,
            request=request,
            options=options,
            timeout_s=timeout_s,
        )
        return task_id

    def destination(self, app: str, queue: str) -> Queue:
        """Return where a URL goes that is queued to a queue of an app, or to ``dq.<instance>``.

        Raises:
            NotFound: There is no such app or queue.
            Conflict: The instance uses another broker than its app.
        """
        record = self.app(app)
        declaration, instance = self._direct_or_declared(app, queue)
        if instance is not None and self.effective(instance).broker != self._broker_of(record):
            raise Conflict(
                f"The instance {instance.name!r} uses another broker than its app {app!r}, so "
                "what is sent to the app does not reach it. Use a queue of the app."
            )
        return declaration

    def outcome(self, app: str, task_id: str, *, timeout_s: float) -> Outcome:
        """Return what is known of a task now; one that nobody knows is pending.

        Raises:
            NotFound: There is no such app.
            InvalidRequest: That cannot be the id of a task.
            BrokerUnavailable: The results cannot be reached.
        """
        record = self._asked(app, task_id)
        return self._tasks.outcome(
            task_id,
            broker=self._broker_of(record),
            result_backend=self._results_of(record),
            timeout_s=timeout_s,
        )

    def wait(self, app: str, task_id: str, *, timeout_s: float) -> Outcome:
        """Return a task's outcome once it is final, or what is known at the deadline.

        Raises:
            NotFound: There is no such app.
            InvalidRequest: That cannot be the id of a task.
            BrokerUnavailable: The results cannot be reached.
        """
        record = self._asked(app, task_id)
        return self._tasks.wait(
            task_id,
            broker=self._broker_of(record),
            result_backend=self._results_of(record),
            timeout_s=timeout_s,
        )

    def _asked(self, app: str, task_id: str) -> App:
        if not 1 <= len(task_id) <= TASK_ID_CHARS_MAX or not task_id.isprintable():
            raise InvalidRequest.of(
                "uuid", f"must be 1 to {TASK_ID_CHARS_MAX} characters, as the queueing answered"
            )
        return self.app(app)

    def _broker_of(self, app: App) -> Broker:
        return app.spec.broker or self._default_broker

    def _results_of(self, app: App) -> str | None:
        return result_backend_of(app.spec, self._default_broker, self._default_result_backend)
