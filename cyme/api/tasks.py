"""Routes of queued URLs and of what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import falcon
import msgspec

from cyme.api.inputs import WAIT_S_DEFAULT, SendHeaders, WaitParameters
from cyme.api.operations import CALL_TIMEOUT_S, Request, operation
from cyme.api.parameters import Parameters, read_body
from cyme.api.problems import StillWaiting
from cyme.api.replies import answer, path_of
from cyme.api.targets import target_of
from cyme.core.access import Role, require
from cyme.core.task_ids import origin_hint
from cyme.core.tasks import Outcome, SendOptions, WebhookRequest
from cyme.errors import Fault, InvalidRequest
from cyme.runtime.service import Service

#: A queued URL may carry a body of so many bytes.
QUEUED_BODY_BYTES_MAX = 8 * 1024 * 1024

_OPTION_PREFIX = "HTTP_X_CYME_"
_DAY = timedelta(days=1)
_OPTIONS = Parameters(SendHeaders)


class Queued(msgspec.Struct, frozen=True):
    """A URL that is queued."""

    uuid: str
    url: str
    queue: str
    method: str


class TaskState(msgspec.Struct, frozen=True):
    """The state of a task."""

    uuid: str
    state: str


class TaskResult(msgspec.Struct, frozen=True):
    """What became of a task; for a queued URL the result is the response that the worker got."""

    uuid: str
    state: str
    result: Any
    traceback: str | msgspec.UnsetType = msgspec.UNSET


class QueuedUrls:
    """Any verb on ``/<app>/queue/<queue>/<url>`` queues a request of that verb to that URL."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation(
        "Queue a URL",
        role=Role.OPERATOR,
        takes=None,
        gives=Queued,
        statuses=(202,),
        headers={name: f"Must be {rule.wanted}." for name, rule in _OPTIONS.rules.items()},
    )
    def on_get(
        self, req: Request, resp: falcon.Response, app: str, queue: str, url: str = ""
    ) -> None:
        """Queue a request of the same verb, query and body for a worker to make."""
        del url  # It is unquoted: the target must reach the worker as it came.
        target = target_of(req.env, app, queue)
        given = _OPTIONS.accept(_option_headers(req.env))
        options = _send_options(given)
        # Before the body is read, which may be long.
        self._service.destination(app, queue)
        request = WebhookRequest(
            method=req.method,
            url=target,
            body=read_body(req, QUEUED_BODY_BYTES_MAX),
            content_type=req.content_type,
            **_present(timeout_s=given.get("X-Cyme-Timeout"), retries=given.get("X-Cyme-Retries")),
        )
        task_id = self._service.send_url(
            app,
            queue,
            request,
            options,
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        resp.set_header("X-Cyme-Task", task_id)
        answer(
            resp,
            Queued(task_id, target, queue, req.method),
            status=202,
            location=path_of(app, "query", task_id, "state"),
        )

    on_head = on_get
    on_post = on_get
    on_put = on_get
    on_delete = on_get
    on_trace = on_get
    on_options = on_get
    on_connect = on_get
    on_patch = on_get


class Tasks:
    """What became of queued URLs."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("Show the state of a task", gives=TaskState)
    def on_get_state(self, req: Request, resp: falcon.Response, app: str, task: str) -> None:
        """Show the state of a task; an unknown one is PENDING."""
        outcome = self._outcome(app, task)
        answer(resp, TaskState(task, outcome.state))

    @operation("Show the result of a task", gives=TaskResult)
    def on_get_result(self, req: Request, resp: falcon.Response, app: str, task: str) -> None:
        """Show what a task returned, or the exception that it failed with."""
        _check_may_read(req, task)
        answer(resp, _result(task, self._outcome(app, task)))

    @operation("Wait for a task and show its result", takes=WaitParameters, gives=TaskResult)
    def on_get_wait(self, req: Request, resp: falcon.Response, app: str, task: str) -> None:
        """Wait until a task is done, at most ``timeout`` seconds, and show its result."""
        _check_may_read(req, task)
        timeout_s = float(req.given.get("timeout", WAIT_S_DEFAULT))
        outcome = self._service.wait(app, task, wait_s=timeout_s)
        if not outcome.state.is_final:
            raise StillWaiting(task, outcome.state, timeout_s)
        answer(resp, _result(task, outcome))

    on_head_state = on_get_state
    on_head_result = on_get_result
    on_head_wait = on_get_wait

    def _outcome(self, app: str, task: str) -> Outcome:
        return self._service.outcome(app, task, timeout_s=CALL_TIMEOUT_S)


def _check_may_read(req: Request, task: str) -> None:
    """Let a viewer read results of queued URLs alone.

    An application may keep the results of its own tasks in the same place, and viewers are told
    the ids of all tasks.

    Raises:
        Forbidden: The task is no queued URL, by its id, and the caller is a viewer.
    """
    if origin_hint(task) is None:
        require(req.caller, Role.OPERATOR, "read the result of a task that is no queued URL")


def _result(task: str, outcome: Outcome) -> TaskResult:
    return TaskResult(
        task,
        outcome.state,
        outcome.result,
        outcome.traceback if outcome.traceback is not None else msgspec.UNSET,
    )


def _option_headers(env: Mapping[str, Any]) -> list[tuple[str, object]]:
    return [
        (key[len("HTTP_") :].replace("_", "-").title(), value)
        for key, value in env.items()
        if key.startswith(_OPTION_PREFIX)
    ]


def _send_options(given: Mapping[str, Any]) -> SendOptions:
    countdown_s, eta = given.get("X-Cyme-Countdown"), given.get("X-Cyme-Eta")
    if countdown_s is not None and eta is not None:
        detail = "excludes X-Cyme-Countdown; send one of them"
        raise InvalidRequest(f"X-Cyme-Eta: {detail}", [Fault("X-Cyme-Eta", detail)])
    expires = given.get("X-Cyme-Expires")
    return SendOptions(
        countdown_s=countdown_s,
        eta=_moment("X-Cyme-Eta", eta) if eta is not None else None,
        expires_s=None if isinstance(expires, datetime) else expires,
        expires_at=_moment("X-Cyme-Expires", expires) if isinstance(expires, datetime) else None,
        priority=given.get("X-Cyme-Priority"),
    )


def _moment(header: str, moment: datetime) -> datetime:
    """Return the moment in UTC if the calendar holds it in every time zone, a worker's too."""
    try:
        in_utc = moment.astimezone(UTC)
        _ = in_utc - _DAY, in_utc + _DAY
    except OverflowError:
        raise InvalidRequest.of(header, "is beyond the calendar") from None
    return in_utc


def _present(**options: Any) -> dict[str, Any]:
    """Return the options that were given; the others keep their defaults."""
    return {name: value for name, value in options.items() if value is not None}
