"""Use cases of queue declarations."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Final, Literal

from cyme.core.access import Caller, Role, require
from cyme.core.changes import queue_tombstone, without_queue
from cyme.core.declarations import checked_declaration
from cyme.core.model import EPOCH_STAMP, AppName, Instance, Queue, QueueName, Record
from cyme.core.names import DIRECT_QUEUE_PREFIX, check_name
from cyme.errors import Conflict, NotFound, TooLarge
from cyme.runtime.service.answers import Written, check_match
from cyme.runtime.service.ground import QUEUES_PER_APP_MAX, names_told
from cyme.runtime.service.instances import Instances
from cyme.runtime.service.remote import remote


class Keep(Enum):
    """Says that a parameter was not given, where None says that it is to be reset."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP

Given = str | None | Literal[Keep.KEEP]


class Queues(Instances):
    """Queues: declarations of an app, known by name to its instances."""

    def queue_names(self, app: str) -> list[str]:
        """Return the names of an app's queues, sorted.

        Raises:
            NotFound: There is no such app.
        """
        return [queue.name for queue in self.queues(app)]

    def queues(self, app: str | None = None) -> list[Queue]:
        """Return the queues of an app, or of all apps (None), sorted by app and name.

        Raises:
            NotFound: There is no such app.
        """
        apps = self._replica.apps() if app is None else [self.app(app)]
        return [queue for each in apps for queue in self._replica.queues_of(each.name)]

    def put_queue(
        self,
        app: str,
        name: str,
        *,
        exchange: Given = KEEP,
        exchange_type: Given = KEEP,
        routing_key: Given = KEEP,
        options: Given = KEEP,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> Written[Queue]:
        """Declare a queue, or change its declaration.

        Args:
            app: The app.
            name: The queue.
            exchange: Name of the exchange; None for the queue's name.
            exchange_type: ``direct``, ``fanout``, ``headers``, ``topic`` or ``x-...``.
            routing_key: What the queue is bound by; None for the queue's name.
            options: A JSON map, as for ``kombu.compat.entry_to_queue``.
            caller: Who asks.
            if_match: The version that the caller has read, None for any.
            timeout_s: How long it may take, in seconds.

        Raises:
            InvalidRequest: The name or a parameter cannot be accepted.
            NotFound: There is no such app.
            Forbidden: The caller may not do this.
            PreconditionFailed: The queue is at another version.
            TooLarge: The app has too many queues.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "declare queues")
        check_name("queue", name)
        deadline = self._deadline(timeout_s)
        with (
            self._holding_app(app, deadline),
            self._locks.exclusive(("queue", app, name), deadline=deadline),
        ):
            self.app(app)
            before = self._replica.queue(app, name)
            check_match("queue", before, if_match)
            start = before if before is not None else self._new_queue(app, name)
            after = _declared(
                start,
                exchange=start.exchange if exchange is KEEP else exchange,
                exchange_type=start.exchange_type if exchange_type is KEEP else exchange_type,
                routing_key=start.routing_key if routing_key is KEEP else routing_key,
                options=start.options if options is KEEP else options,
            )
            if after == before:
                return Written(after, created=False, changed=False)
            after = replace(after, stamp=self._replica.next_stamp())
            if before is not None:
                now = self._clock.wall()
                after = replace(after, version=before.version + 1, updated_at=now)
            self._commit([after], deadline)
            created = before is None
            deed = f"queue {name!r} {'declared' if created else 'changed'}"
            kind = "queue.created" if created else "queue.changed"
            self._tell(kind, caller, deed, app=app, queue=name)
        return Written(after, created=created, changed=True)

    def delete_queue(
        self,
        app: str,
        name: str,
        *,
        force: bool = False,
        caller: Caller,
        if_match: int | None = None,
        timeout_s: float,
    ) -> None:
        """Delete a declaration; with ``force``, have its consumers stop consuming from it.

        The queue on the broker, and what is in it, stays.

        Raises:
            NotFound: There is no such app, or the app has no such queue.
            Conflict: Instances consume from it, and ``force`` is not given.
            Forbidden: The caller may not do this.
            PreconditionFailed: The queue is at another version.
            OwnerUnreachable: A consumer belongs to a branch that cannot be asked.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        require(caller, Role.OPERATOR, "delete queues")
        deadline = self._deadline(timeout_s)
        check_match("queue", self.queue(app, name), if_match)
        # No lock is held while others work, as they might wait for this branch meanwhile.
        elsewhere = self._at_all_owners(
            self._cancellable(app, name, force=force),
            self.cancel_consumers_here,
            deadline=deadline,
            app=app,
            queue=name,
            caller=caller,
        )
        with self._holding_app(app, deadline, alone=True):
            queue = self.queue(app, name)
            check_match("queue", queue, if_match)
            consuming = self._cancellable(app, name, force=force)
            mine = [i for i in consuming if i.name not in elsewhere]
            self._check_all_mine(mine)
            now, stamp = self._clock.wall(), self._replica.next_stamp()
            records: list[Record] = [
                *(without_queue(instance, name, stamp, now) for instance in mine),
                queue_tombstone(queue, stamp, now),
            ]
            self._commit(records, deadline)
            self._tell("queue.deleted", caller, f"queue {name!r} deleted", app=app, queue=name)

    @remote(writes=True)
    def cancel_consumers_here(
        self, app: str, queue: str, names: tuple[str, ...], *, caller: Caller, timeout_s: float
    ) -> tuple[Instance, ...]:
        """Have instances that this branch owns stop consuming from a queue, all or none.

        Args:
            app: The app.
            queue: A queue of it, which is about to be deleted.
            names: Instances of the app; those that do not consume from it are passed over.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Returns:
            Those that changed, as they are now.

        Raises:
            NotOwner: Another branch owns one of them by now.
            StorageUnavailable: The database does not take it; nothing changed.
            DeadlineExceeded: It took too long.
        """
        deadline = self._deadline(timeout_s)
        with self._holding_app(app, deadline, alone=True):
            now, stamp = self._clock.wall(), self._replica.next_stamp()
            living = [name for name in names if self._replica.instance(name) is not None]
            owned = [self._owned(name, app) for name in living]
            changed = [without_queue(i, queue, stamp, now) for i in owned if queue in i.queues]
            self._commit(changed, deadline)
            for each in changed:
                self._tell(
                    "instance.consumer-cancelled",
                    caller,
                    f"consumer of {queue!r} cancelled with its queue",
                    app=app,
                    instance=each.name,
                    queue=queue,
                )
        return tuple(changed)

    def _cancellable(self, app: str, queue: str, *, force: bool) -> list[Instance]:
        """Return the instances that are to stop consuming from a queue as it is deleted.

        Raises:
            NotFound: There is no such app, or the app has no such queue.
            Conflict: There are some, and ``force`` is not given.
        """
        consuming = self._consuming(self.queue(app, queue))
        if consuming and not force:
            raise Conflict(
                f"These instances consume from the queue {queue!r}: "
                f"{names_told([i.name for i in consuming])}. Cancel that first, or give "
                "force=true to cancel it for all of them."
            )
        return consuming

    def _consuming(self, queue: Queue) -> list[Instance]:
        return [i for i in self._replica.instances_of(queue.app) if queue.name in i.queues]

    def _new_queue(self, app: str, name: str) -> Queue:
        """Return the declaration as it is when nothing is said."""
        if len(self._replica.queues_of(app)) >= QUEUES_PER_APP_MAX:
            raise TooLarge(
                f"The app {app!r} has {QUEUES_PER_APP_MAX} queues already. Delete one first."
            )
        now = self._clock.wall()
        tombstone = self._replica.queue_or_tombstone(app, name)
        return Queue(
            app=AppName(app),
            name=QueueName(name),
            stamp=EPOCH_STAMP,
            version=tombstone.version + 1 if tombstone is not None else 1,
            created_at=now,
            updated_at=now,
        )

    def _direct_or_declared(self, app: str, name: str) -> tuple[Queue, Instance | None]:
        """Return a queue of an app, and the instance if it is the direct queue of one.

        Raises:
            NotFound: There is no such app, queue or instance.
        """
        if not name.startswith(DIRECT_QUEUE_PREFIX):
            return self.queue(app, name), None
        self.app(app)
        instance = self._replica.instance(name.removeprefix(DIRECT_QUEUE_PREFIX))
        if instance is None or instance.app != app:
            raise NotFound("queue", name, f"The app {app!r} has no instance of that name.")
        return Queue(app=instance.app, name=QueueName(name), stamp=EPOCH_STAMP), instance


def _declared(
    queue: Queue,
    *,
    exchange: str | None,
    exchange_type: str | None,
    routing_key: str | None,
    options: str | None,
) -> Queue:
    return replace(
        queue,
        exchange=exchange,
        exchange_type=exchange_type,
        routing_key=routing_key,
        options=checked_declaration(
            exchange=exchange,
            exchange_type=exchange_type,
            routing_key=routing_key,
            options=options,
        ),
    )
