"""Routes of queue declarations."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import falcon
import msgspec

from cyme.api.conditions import expected_version, tag_of
from cyme.api.inputs import (
    DeletionParameters,
    ListParameters,
    NamedDeletionParameters,
    NewQueueParameters,
    QueueParameters,
)
from cyme.api.operations import CALL_TIMEOUT_S, CONDITIONS, Request, operation
from cyme.api.replies import (
    answer,
    answer_done,
    answer_later,
    answer_list,
    answer_unchanged,
    in_turns,
    path_of,
)
from cyme.api.representations.deeds import Accepted, Ok
from cyme.api.representations.queues import (
    ListedQueueReply,
    QueueReply,
    listed_queue_reply,
    queue_reply,
)
from cyme.core.access import Role
from cyme.core.model import Queue
from cyme.errors import InvalidRequest
from cyme.runtime.service import KEEP, Service


class Queues:
    """Queue declarations of an app."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation(
        "List the queues of an app",
        takes=ListParameters,
        gives=list[str | ListedQueueReply],
    )
    def on_get_collection(self, req: Request, resp: falcon.Response, app: str) -> None:
        """List the queues of an app: their names, or all about them."""
        answer_list(
            req,
            resp,
            names=lambda: self._service.queue_names(app),
            records=lambda: self._service.queues(app),
            show=listed_queue_reply,
        )

    @operation("List the queues of all apps", takes=ListParameters, gives=list[ListedQueueReply])
    def on_get_all(self, req: Request, resp: falcon.Response) -> None:
        """List the queues of all apps; in full always, as a name alone would not tell the app."""
        answer(resp, [listed_queue_reply(each) for each in in_turns(self._service.queues())])

    @operation(
        "Declare a queue by the name in the parameters",
        role=Role.OPERATOR,
        takes=NewQueueParameters,
        gives=QueueReply,
        statuses=(200, 201),
        may_be_async=True,
    )
    def on_put_collection(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Declare a queue by the name in the parameters."""
        given = dict(req.given)
        self._put(req, resp, app, given.pop("name"), given)

    @operation(
        "Delete a queue by the name in the parameters",
        role=Role.OPERATOR,
        takes=NamedDeletionParameters,
        gives=Ok,
        may_be_async=True,
    )
    def on_delete_collection(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Delete one queue of an app; never all of them."""
        name = req.given.get("name")
        if name is None:
            raise InvalidRequest.of(
                "name",
                "is missing, so nothing was deleted; call "
                f"DELETE /{app}/queues/<queue>/ or DELETE /{app}/queues/?name=<queue>",
            )
        self._delete(req, resp, app, name)

    @operation("Show a queue", gives=QueueReply, statuses=(200, 304))
    def on_get(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Show a queue declaration."""
        queue = self._service.queue(app, name)
        tag = tag_of(queue)
        if not answer_unchanged(req, resp, tag):
            answer(resp, queue_reply(queue), tag=tag)

    @operation(
        "Declare or change a queue",
        role=Role.OPERATOR,
        takes=QueueParameters,
        gives=QueueReply,
        statuses=(200, 201),
        may_be_async=True,
        headers=CONDITIONS,
    )
    def on_put(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Declare or change a queue."""
        self._put(req, resp, app, name, req.given)

    @operation(
        "Delete a queue",
        role=Role.OPERATOR,
        takes=DeletionParameters,
        gives=Ok,
        may_be_async=True,
        headers=CONDITIONS,
    )
    def on_delete(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Delete a queue declaration."""
        self._delete(req, resp, app, name)

    on_head_collection = on_get_collection
    on_head_all = on_get_all
    on_post_collection = on_put_collection
    on_head = on_get
    on_post = on_put

    def _put(
        self, req: Request, resp: falcon.Response, app: str, name: str, given: Mapping[str, Any]
    ) -> None:
        write = functools.partial(
            self._service.put_queue,
            app,
            name,
            exchange=given.get("exchange", KEEP),
            exchange_type=given.get("exchange_type", KEEP),
            routing_key=given.get("routing_key", KEEP),
            options=_as_text(given["options"]) if "options" in given else KEEP,
            caller=req.caller,
            if_match=expected_version(req, lambda: self._service.queue(app, name)),
            timeout_s=CALL_TIMEOUT_S,
        )
        if req.is_async:
            answer_later(
                resp,
                self._service,
                write,
                "queue",
                Accepted(name=name, app=app),
                location=path_of(app, "queues", name),
            )
            return
        written = write()
        queue: Queue = written.record
        answer(
            resp,
            queue_reply(queue),
            status=201 if written.created else 200,
            tag=tag_of(queue),
            location=path_of(app, "queues", name) if written.created else None,
        )

    def _delete(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        write = functools.partial(
            self._service.delete_queue,
            app,
            name,
            force=req.given.get("force", False),
            caller=req.caller,
            if_match=expected_version(req, lambda: self._service.queue(app, name)),
            timeout_s=CALL_TIMEOUT_S,
        )
        answer_done(req, resp, self._service, write, "queue", Accepted(name=name, app=app))


def _as_text(options: Mapping[str, Any] | None) -> str | None:
    """Return the options as the JSON text that is stored, None where there are none."""
    if options is None:
        return None
    try:
        return msgspec.json.encode(options).decode()
    except (ValueError, OverflowError, RecursionError) as exc:
        raise InvalidRequest.of("options", "has a value that JSON cannot hold") from exc
