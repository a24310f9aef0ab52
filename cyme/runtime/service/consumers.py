"""Use cases of consumers: which instance consumes from which queue."""

from __future__ import annotations

from dataclasses import replace

from cyme.core.access import Caller, Role, require
from cyme.core.changes import without_queue
from cyme.core.model import App, Instance, Queue, QueueName
from cyme.core.names import direct_queue
from cyme.core.parameters import QUEUES_PER_INSTANCE_MAX
from cyme.errors import Conflict, NotFound, TooLarge
from cyme.runtime.service.answers import Written
from cyme.runtime.service.queues import Queues
from cyme.runtime.service.remote import remote


class Consumers(Queues):
    """Consumers; every instance also consumes from its direct queue, always."""

    def consumers(self, app: str | None, instance: str) -> list[str]:
        """Return the queues that an instance consumes from, without the direct one, sorted.

        Raises:
            NotFound: There is none of that name, or it belongs to another app.
        """
        return list(self.instance(instance, app).queues)

    def add_consumer(
        self, app: str | None, instance: str, queue: str, *, caller: Caller, timeout_s: float
    ) -> bool:
        """Have an instance consume from a queue.

        Returns:
            Whether that is new.

        Raises:
            NotFound: There is no such instance, or its app has no such queue.
            Forbidden: The caller may not do this.
            TooLarge: It consumes from too many queues.
            OwnerUnreachable: Its branch cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "add consumers")
        record = self.instance(instance, app)
        written = self._at_owner(
            record,
            self.add_consumer_here,
            app=record.app,
            instance=instance,
            queue=queue,
            context=self._context(record.app, [queue]),
            caller=caller,
            timeout_s=timeout_s,
        )
        return written.changed

    @remote(writes=True)
    def add_consumer_here(
        self,
        app: str,
        instance: str,
        queue: str,
        *,
        context: tuple[App | Queue, ...],
        caller: Caller,
        timeout_s: float,
    ) -> Written[Instance]:
        """Have an instance of this branch consume from a queue.

        ``context`` is what the branch that asks knows of the app and the queue.

        Raises:
            NotOwner: Another branch owns the instance.
            CymeError: As in ``add_consumer``.
        """
        deadline = self._deadline(timeout_s)
        self._take_in(context)
        with self._holding_instance(app, instance, deadline):
            record = self._owned(instance, app)
            if queue in (*record.queues, direct_queue(instance)):
                return Written(record, created=False, changed=False)
            name = QueueName(self.queue(app, queue).name)
            if len(record.queues) >= QUEUES_PER_INSTANCE_MAX:
                raise TooLarge(
                    f"The instance {instance!r} consumes from {QUEUES_PER_INSTANCE_MAX} queues "
                    "already. Cancel one first, or use another instance."
                )
            after = replace(
                record,
                queues=tuple(sorted({*record.queues, name})),
                stamp=self._replica.next_stamp(),
                version=record.version + 1,
                updated_at=self._clock.wall(),
            )
            self._commit([after], deadline)
            deed = f"consumer of {queue!r} added"
            self._tell(
                "instance.consumer-added", caller, deed, app=app, instance=instance, queue=queue
            )
        return Written(after, created=False, changed=True)

    def cancel_consumer(
        self, app: str | None, instance: str, queue: str, *, caller: Caller, timeout_s: float
    ) -> None:
        """Have an instance stop consuming from a queue.

        Raises:
            NotFound: There is no such instance, or it does not consume from the queue.
            Conflict: It is the instance's direct queue.
            Forbidden: The caller may not do this.
            OwnerUnreachable: Its branch cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "cancel consumers")
        record = self.instance(instance, app)
        self._at_owner(
            record,
            self.cancel_consumer_here,
            app=record.app,
            instance=instance,
            queue=queue,
            caller=caller,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def cancel_consumer_here(
        self, app: str, instance: str, queue: str, *, caller: Caller, timeout_s: float
    ) -> Instance:
        """Have an instance of this branch stop consuming from a queue, and return it.

        Raises:
            NotOwner: Another branch owns the instance.
            CymeError: As in ``cancel_consumer``.
        """
        deadline = self._deadline(timeout_s)
        with self._holding_instance(app, instance, deadline):
            record = self._owned(instance, app)
            if queue == direct_queue(instance):
                raise Conflict(
                    f"{queue!r} is the direct queue of {instance!r}, from which it always consumes."
                )
            if queue not in record.queues:
                raise NotFound(
                    "consumer", queue, f"The instance {instance!r} does not consume from it."
                )
            stamp = self._replica.next_stamp()
            after = without_queue(record, queue, stamp, self._clock.wall())
            self._commit([after], deadline)
            deed = f"consumer of {queue!r} cancelled"
            self._tell(
                "instance.consumer-cancelled", caller, deed, app=app, instance=instance, queue=queue
            )
        return after
