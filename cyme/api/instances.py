"""Routes of instances."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping
from typing import Any

import falcon

from cyme.api.changes import worker_changes
from cyme.api.conditions import expected_version, preferred_wait_s, tag_of
from cyme.api.inputs import (
    AutoscaleParameters,
    DeletionParameters,
    InstanceParameters,
    ListParameters,
    MoveParameters,
    NewInstanceParameters,
)
from cyme.api.operations import CALL_TIMEOUT_S, CONDITIONS, Request, operation
from cyme.api.replies import answer, answer_done, answer_later, answer_list, path_of
from cyme.api.representations.deeds import Accepted, Ok
from cyme.api.representations.events import EventReply, event_reply
from cyme.api.representations.workers import InstanceReply, Limits, Representations, stats_reply
from cyme.core.access import Role
from cyme.core.model import Instance
from cyme.errors import InvalidRequest
from cyme.runtime.service import Service, Standing

#: A move waits for a worker to start elsewhere, at most so long, in seconds.
MOVE_TIMEOUT_S = 60.0

IDEMPOTENCY_KEY_CHARS_MAX = 255

_NEW_INSTANCE_HEADERS = {
    "Idempotency-Key": "Makes a retry find the instance that the first attempt created.",
    "Prefer": "wait=N answers once the worker runs, or after N seconds; respond-async at once.",
}


class Instances:
    """Instances: Celery workers under management."""

    def __init__(self, service: Service, representations: Representations) -> None:
        self._service = service
        self._representations = representations

    @operation(
        "List the instances of an app",
        takes=ListParameters,
        gives=list[str | InstanceReply],
    )
    def on_get_collection(self, req: Request, resp: falcon.Response, app: str) -> None:
        """List the instances of an app: their names, or all about them."""
        self._list(req, resp, app)

    @operation(
        "List the instances of all apps",
        takes=ListParameters,
        gives=list[str | InstanceReply],
    )
    def on_get_all(self, req: Request, resp: falcon.Response) -> None:
        """List the instances of all apps: their names, or all about them."""
        self._list(req, resp, None)

    @operation(
        "Create an instance",
        role=Role.OPERATOR,
        takes=NewInstanceParameters,
        gives=InstanceReply,
        statuses=(201, 200),
        may_be_async=True,
        headers=_NEW_INSTANCE_HEADERS,
    )
    def on_put_collection(self, req: Request, resp: falcon.Response, app: str) -> None:
        """Create an instance, named by a UUID unless ``name`` is given."""
        given = dict(req.given)
        self._put(req, resp, app, given.pop("name", None), given)

    @operation("Show an instance", gives=InstanceReply)
    def on_get(
        self, req: Request, resp: falcon.Response, name: str, app: str | None = None
    ) -> None:
        """Show an instance."""
        instance = self._service.instance(name, app)
        self._show(req, resp, instance, self._service.standing(instance))

    @operation(
        "Create or change an instance",
        role=Role.OPERATOR,
        takes=InstanceParameters,
        gives=InstanceReply,
        statuses=(200, 201),
        may_be_async=True,
        headers=CONDITIONS | {"Prefer": _NEW_INSTANCE_HEADERS["Prefer"]},
    )
    def on_put(
        self, req: Request, resp: falcon.Response, name: str, app: str | None = None
    ) -> None:
        """Create or change an instance; without an app it must exist."""
        home = app if app is not None else self._service.instance(name).app
        self._put(req, resp, home, name, req.given)

    @operation(
        "Delete an instance",
        role=Role.OPERATOR,
        takes=DeletionParameters,
        gives=Ok,
        may_be_async=True,
        headers=CONDITIONS,
    )
    def on_delete(
        self, req: Request, resp: falcon.Response, name: str, app: str | None = None
    ) -> None:
        """Delete an instance; its worker is stopped."""
        write = functools.partial(
            self._service.delete_instance,
            name,
            app,
            force=req.given.get("force", False),
            caller=req.caller,
            if_match=expected_version(req, lambda: self._service.instance(name, app)),
            timeout_s=CALL_TIMEOUT_S,
        )
        accepted = Accepted(name=name, app=app or self._service.instance(name).app)
        answer_done(req, resp, self._service, write, "instance", accepted)

    @operation("Show what the worker of an instance says of itself", gives=dict[str, Any])
    def on_get_stats(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Show what ``celery inspect stats`` says of an instance's worker."""
        stats = self._service.stats(app, name, timeout_s=CALL_TIMEOUT_S)
        answer(resp, stats_reply(stats, req.caller))

    @operation("Show the concurrency limits of an instance", gives=Limits)
    def on_get_autoscale(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Show the limits of an instance's concurrency."""
        maximum, minimum = self._service.autoscale(app, name)
        answer(resp, Limits(max=maximum, min=minimum))

    @operation(
        "Set the concurrency limits of an instance",
        role=Role.OPERATOR,
        takes=AutoscaleParameters,
        gives=Limits,
        may_be_async=True,
    )
    def on_put_autoscale(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Set one or both of the limits of an instance's concurrency."""
        maximum, minimum = req.given.get("max"), req.given.get("min")
        if maximum is None and minimum is None:
            raise InvalidRequest("Give max, min or both.")
        write = functools.partial(
            self._service.set_autoscale,
            app,
            name,
            maximum=maximum,
            minimum=minimum,
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        if req.is_async:
            answer_later(resp, self._service, write, "instance", Accepted(name=name, app=app))
            return
        write()
        maximum, minimum = self._service.autoscale(app, name)
        answer(resp, Limits(max=maximum, min=minimum))

    @operation("Restart the worker of an instance", role=Role.OPERATOR, gives=Ok)
    def on_put_restart(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Restart an instance's worker warmly; a disabled one gets a new restart budget."""
        self._service.restart_instance(name, app, caller=req.caller, timeout_s=CALL_TIMEOUT_S)
        answer(resp, Ok())

    @operation("Show what happened to an instance", gives=list[EventReply])
    def on_get_events(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Show an instance's history, the oldest event first."""
        events = self._service.history(app, name, timeout_s=CALL_TIMEOUT_S)
        answer(resp, [event_reply(event) for event in events])

    @operation(
        "Move an instance to another branch",
        role=Role.OPERATOR,
        takes=MoveParameters,
        gives=InstanceReply,
        may_be_async=True,
    )
    def on_put_move(self, req: Request, resp: falcon.Response, app: str, name: str) -> None:
        """Move an instance: its worker runs there before it stops here."""
        move = functools.partial(
            self._service.move_instance,
            name,
            app,
            branch=req.given.get("branch"),
            caller=req.caller,
            timeout_s=MOVE_TIMEOUT_S,
        )
        if req.is_async:
            self._service.instance(name, app)
            answer_later(resp, self._service, move, "instance", Accepted(name=name, app=app))
            return
        instance = move().record
        self._show(req, resp, instance, self._service.standing(instance))

    on_head_all = on_get_all
    on_head_collection = on_get_collection
    on_post_collection = on_put_collection
    on_head = on_get
    on_post = on_put
    on_head_stats = on_get_stats
    on_head_autoscale = on_get_autoscale
    on_post_autoscale = on_put_autoscale
    on_post_restart = on_put_restart
    on_post_move = on_put_move
    on_head_events = on_get_events

    def _list(self, req: Request, resp: falcon.Response, app: str | None) -> None:
        service = self._service
        answer_list(
            req,
            resp,
            names=lambda: service.instance_names(app),
            records=lambda: service.instances(app),
            show=lambda instance: self._shown(req, instance, service.standing(instance)),
        )

    def _put(
        self,
        req: Request,
        resp: falcon.Response,
        app: str,
        name: str | None,
        given: Mapping[str, Any],
    ) -> None:
        changes = worker_changes(given)
        branch = changes.pop("branch", None)
        pinned = bool(changes.pop("pinned")) if "pinned" in changes else None
        key = _idempotency_key(req) if name is None else None
        wait_s = preferred_wait_s(req)
        if req.is_async and name is None and key is None:
            name = str(uuid.uuid4())
        if_match = None
        if name is not None:
            wanted = name
            if_match = expected_version(req, lambda: self._service.instance(wanted, app))
        write = functools.partial(
            self._service.put_instance,
            app,
            name,
            changes,
            branch=branch,
            pinned=pinned,
            caller=req.caller,
            if_match=if_match,
            idempotency_key=key,
            timeout_s=CALL_TIMEOUT_S,
        )
        if req.is_async and name is not None:
            self._service.check_change(changes, app=app, instance=name, caller=req.caller)
            answer_later(
                resp,
                self._service,
                write,
                "instance",
                Accepted(name=name, app=app),
                location=path_of(app, "instances", name),
            )
            return
        written = write()
        instance = written.record
        if req.is_async:
            # Only the service knows the name that goes with a key, so it was written at once.
            answer(
                resp, Accepted(name=instance.name, app=app), status=202, location=_path(instance)
            )
            return
        standing = self._standing_after(resp, instance, wait_s)
        self._show(req, resp, instance, standing, is_new=written.created)

    def _standing_after(
        self, resp: falcon.Response, instance: Instance, wait_s: float | None
    ) -> Standing:
        if wait_s is None:
            return self._service.standing(instance)
        resp.set_header("Preference-Applied", f"wait={wait_s:g}")
        return self._service.wait_until_running(instance, wait_s)

    def _show(
        self,
        req: Request,
        resp: falcon.Response,
        instance: Instance,
        standing: Standing,
        *,
        is_new: bool = False,
    ) -> None:
        answer(
            resp,
            self._shown(req, instance, standing),
            status=201 if is_new else 200,
            tag=tag_of(instance),
            location=_path(instance) if is_new else None,
            age_s=standing.age_s,
        )

    def _shown(self, req: Request, instance: Instance, standing: Standing) -> InstanceReply:
        spec = self._service.effective(instance)
        return self._representations.instance(instance, spec, standing, req.caller)


def _path(instance: Instance) -> str:
    return path_of(instance.app, "instances", instance.name)


def _idempotency_key(req: Request) -> str | None:
    key: str | None = req.env.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARS_MAX:
        raise InvalidRequest.of(
            "Idempotency-Key", f"must have 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters"
        )
    return key
