"""Routes of consumers: which queues an instance consumes from."""

from __future__ import annotations

import functools

import falcon

from cyme.api.operations import CALL_TIMEOUT_S, Request, operation
from cyme.api.replies import answer, answer_done, answer_later, path_of
from cyme.api.representations.deeds import Accepted, Ok
from cyme.api.representations.queues import QueueReply, queue_reply
from cyme.core.access import Role
from cyme.errors import NotFound
from cyme.runtime.service import Service


class Consumers:
    """The queues that an instance consumes from."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("List the queues that an instance consumes from", gives=list[str])
    def on_get_collection(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """List the queues that an instance consumes from."""
        answer(resp, self._service.consumers(app, name))

    @operation("Show a queue that an instance consumes from", gives=QueueReply)
    def on_get(self, req: Request, resp: falcon.Response, app: str, name: str, queue: str) -> None:
        """Show the declaration of a queue, if the instance consumes from it."""
        if queue not in self._service.consumers(app, name):
            raise NotFound("consumer", queue, f"The instance {name!r} does not consume from it.")
        answer(resp, queue_reply(self._service.queue(app, queue)))

    @operation(
        "Make an instance consume from a queue",
        role=Role.OPERATOR,
        gives=Ok,
        statuses=(200, 201),
        may_be_async=True,
    )
    def on_put(self, req: Request, resp: falcon.Response, app: str, name: str, queue: str) -> None:
        """Make an instance consume from a queue."""
        write = functools.partial(
            self._service.add_consumer,
            app,
            name,
            queue,
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        if req.is_async:
            accepted = Accepted(name=queue, app=app, instance=name)
            answer_later(resp, self._service, write, "queue", accepted)
            return
        is_new = write()
        answer(
            resp,
            Ok(),
            status=201 if is_new else 200,
            location=path_of(app, "instances", name, "queues", queue) if is_new else None,
        )

    @operation(
        "Make an instance stop consuming from a queue",
        role=Role.OPERATOR,
        gives=Ok,
        may_be_async=True,
    )
    def on_delete(
        self, req: Request, resp: falcon.Response, app: str, name: str, queue: str
    ) -> None:
        """Make an instance stop consuming from a queue."""
        write = functools.partial(
            self._service.cancel_consumer,
            app,
            name,
            queue,
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        accepted = Accepted(name=queue, app=app, instance=name)
        answer_done(req, resp, self._service, write, "queue", accepted)

    on_head_collection = on_get_collection
    on_head = on_get
    on_post = on_put
