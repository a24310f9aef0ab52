"""Routes of apps."""

from __future__ import annotations

import functools

import falcon

from cyme.api.changes import worker_changes
from cyme.api.conditions import expected_version, tag_of
from cyme.api.inputs import DeletionParameters, ListParameters, WorkerParameters
from cyme.api.operations import CALL_TIMEOUT_S, CONDITIONS, Request, operation
from cyme.api.replies import (
    answer,
    answer_done,
    answer_later,
    answer_list,
    answer_unchanged,
    path_of,
)
from cyme.api.representations.deeds import Accepted, Ok
from cyme.api.representations.workers import AppReply, Representations
from cyme.core.access import Role
from cyme.core.model import App
from cyme.runtime.service import Service


class Apps:
    """Apps: the defaults of their instances."""

    def __init__(self, service: Service, representations: Representations) -> None:
        self._service = service
        self._representations = representations

    @operation("List the apps", takes=ListParameters, gives=list[str | AppReply])
    def on_get_collection(self, req: Request, resp: falcon.Response) -> None:
        """List the apps: their names, or all about them."""
        service = self._service

        def show(app: App) -> AppReply:
            return self._representations.app(app, service.instance_names(app.name), req.caller)

        answer_list(req, resp, names=service.app_names, records=service.apps, show=show)

    @operation("Show an app", gives=AppReply, statuses=(200, 304))
    def on_get(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Show an app."""
        self._show(req, resp, self._service.app(app), status=200)

    @operation(
        "Create or change an app",
        role=Role.OPERATOR,
        takes=WorkerParameters,
        gives=AppReply,
        statuses=(200, 201),
        may_be_async=True,
        headers=CONDITIONS,
    )
    def on_put(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Create or change an app."""
        changes = worker_changes(req.given)
        write = functools.partial(
            self._service.put_app,
            app,
            changes,
            caller=req.caller,
            if_match=expected_version(req, lambda: self._service.app(app)),
            timeout_s=CALL_TIMEOUT_S,
        )
        if req.is_async:
            self._service.check_change(changes, app=app, instance=None, caller=req.caller)
            accepted = Accepted(name=app, app=app)
            answer_later(resp, self._service, write, "app", accepted, location=path_of(app))
            return
        written = write()
        self._show(req, resp, written.record, status=201 if written.created else 200)

    @operation(
        "Delete an app",
        role=Role.OPERATOR,
        takes=DeletionParameters,
        gives=Ok,
        may_be_async=True,
        headers=CONDITIONS,
    )
    def on_delete(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Delete an app."""
        write = functools.partial(
            self._service.delete_app,
            app,
            force=req.given.get("force", False),
            caller=req.caller,
            if_match=expected_version(req, lambda: self._service.app(app)),
            timeout_s=CALL_TIMEOUT_S,
        )
        answer_done(req, resp, self._service, write, "app", Accepted(name=app, app=app))

    on_head_collection = on_get_collection
    on_head = on_get
    on_post = on_put

    def _show(self, req: Request, resp: falcon.Response, app: App, *, status: int) -> None:
        names = self._service.instance_names(app.name)
        tag = tag_of(app, names)
        if not req.is_writing and answer_unchanged(req, resp, tag):
            return
        answer(
            resp,
            self._representations.app(app, names, req.caller),
            status=status,
            tag=tag,
            location=path_of(app.name) if status == 201 else None,  # noqa: PLR2004 - Created
        )
