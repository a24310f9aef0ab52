"""Use cases of tasks: queue a URL, learn what became of it."""

from __future__ import annotations

from cyme.core.access import Caller, Role, require
from cyme.core.launch import RPC_BACKEND, result_backend_of
from cyme.core.model import App, BranchId, Broker, Queue
from cyme.core.task_events import QUEUED_URL_TASK, url_told
from cyme.core.task_ids import branch_hint, origin_hint
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.errors import Conflict, InvalidRequest
from cyme.runtime.service.consumers import Consumers
from cyme.runtime.service.remote import remote
from cyme.runtime.service.standings import ANSWER_S

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
        self.telemetry.note_sent(
            self._broker_of(record),
            uuid=task_id,
            name=QUEUED_URL_TASK,
            app=app,
            queue=declaration.name,
            url=url_told(request.url),
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
            OwnerUnreachable: They are on a branch that cannot be asked.
        """
        record = self._asked(app, task_id)
        return self._at(
            self._keeper(record, task_id),
            self.outcome_here,
            app=record,
            task_id=task_id,
            timeout_s=timeout_s,
        )

    @remote(writes=False)
    def outcome_here(self, app: App, task_id: str, *, timeout_s: float) -> Outcome:
        """Return what is known now of a task whose results this branch reaches.

        ``app`` is as the branch that asks knows it; errors as in ``outcome``.
        """
        return self._tasks.outcome(
            task_id,
            broker=self._broker_of(app),
            result_backend=self._results_of(app),
            timeout_s=timeout_s,
        )

    def wait(self, app: str, task_id: str, *, wait_s: float) -> Outcome:
        """Return a task's outcome once it is final, or what is known when the time is over.

        Args:
            app: The app.
            task_id: The task.
            wait_s: How long to wait at most, in seconds.

        Raises:
            NotFound: There is no such app.
            InvalidRequest: That cannot be the id of a task.
            BrokerUnavailable: The results cannot be reached.
            OwnerUnreachable: They are on a branch that cannot be asked.
        """
        record = self._asked(app, task_id)
        return self._at(
            self._keeper(record, task_id),
            self.wait_for_task_here,
            app=record,
            task_id=task_id,
            wait_s=wait_s,
            timeout_s=wait_s + ANSWER_S,
        )

    @remote(writes=False)
    def wait_for_task_here(
        self, app: App, task_id: str, *, wait_s: float, timeout_s: float
    ) -> Outcome:
        """Wait for a task whose results this branch reaches; as ``outcome_here`` and ``wait``."""
        return self._tasks.wait(
            task_id,
            broker=self._broker_of(app),
            result_backend=self._results_of(app),
            timeout_s=min(wait_s, timeout_s),
        )

    def _keeper(self, app: App, task_id: str) -> BranchId:
        """Return the branch that is to be asked for the results of a task.

        Without a result backend they are told to the branch that sent the task, and to no other.
        Its id tells which that was; one that no known branch has sent may be anybody's.
        """
        here = self._replica.branch_id
        backend = self._results_of(app)
        if backend is not None and not backend.startswith(RPC_BACKEND):
            return here
        hint = origin_hint(task_id)
        known = (here, *self._members.ids())  # this one first, as most ask where they have sent
        return next((each for each in known if branch_hint(each) == hint), here)

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
