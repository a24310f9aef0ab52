"""Routes of tasks as the events of their workers show them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import falcon
import msgspec

from cyme.api.figures import moment
from cyme.api.inputs import TASKS_LISTED, SeenTaskParameters
from cyme.api.operations import Request, operation
from cyme.api.replies import answer
from cyme.core.task_filter import TaskFilter, state_of
from cyme.core.vitals import TaskSighting
from cyme.runtime.service import Service


class SeenTaskReply(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its events show it; null is what no event told. It has no arguments or result."""

    uuid: str
    name: str
    app: str | None
    instance: str | None
    queue: str | None
    state: str
    at: datetime
    runtime_s: float | None
    exception: str | None
    url: str | None
    worker: str
    retries: int
    sent_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class SeenTasks:
    """Tasks that were seen lately."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation(
        "List the tasks that were seen lately", takes=SeenTaskParameters, gives=list[SeenTaskReply]
    )
    def on_get_collection(self, req: Request, resp: falcon.Response) -> None:
        """List the tasks that workers told of lately, the newest first."""
        given = req.given
        states = given.get("state")
        wanted = TaskFilter(
            apps=_tuple(given.get("app")),
            instances=_tuple(given.get("instance")),
            queues=_tuple(given.get("queue")),
            states=None if states is None else tuple(state_of(word) for word in states),
            text=given.get("q"),
            limit=given.get("limit", TASKS_LISTED),
        )
        answer(resp, [seen_task_reply(each) for each in self._service.recent_tasks(wanted)])

    @operation("Show a task that was seen lately", gives=SeenTaskReply)
    def on_get(self, req: Request, resp: falcon.Response, task: str) -> None:
        """Show what the events of a task tell of it."""
        answer(resp, seen_task_reply(self._service.task_sighting(task)))

    on_head_collection = on_get_collection
    on_head = on_get


def seen_task_reply(seen: TaskSighting) -> SeenTaskReply:
    """Return a task as it is shown."""
    return SeenTaskReply(
        uuid=seen.uuid,
        name=seen.name,
        app=seen.app,
        instance=seen.instance,
        queue=seen.queue,
        state=seen.state,
        at=moment(seen.at),
        runtime_s=seen.runtime_s,
        exception=seen.exception,
        url=seen.url,
        worker=seen.worker,
        retries=seen.retries,
        sent_at=moment(seen.sent_at),
        received_at=moment(seen.received_at),
        started_at=moment(seen.started_at),
        ended_at=moment(seen.ended_at),
    )


def _tuple(names: Any) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
