"""Routes of events: what happened, and what happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import falcon

import cyme
from cyme.api.figures import moment
from cyme.api.inputs import EventParameters
from cyme.api.operations import Request, operation
from cyme.api.replies import answer, in_turns
from cyme.api.representations.events import EventReply, event_reply
from cyme.api.streaming.broadcaster import Broadcaster, Listener
from cyme.api.streaming.frames import event_frame, hello_frame
from cyme.api.values import EVENTS_MAX, moment_meant
from cyme.core.access import Caller, Role
from cyme.core.events import Cursor, Event, EventFilter, Mark, mark_of
from cyme.runtime.service import Service

MEDIA_TYPE = "text/event-stream"

#: The branches have so long to tell what they know, in seconds.
HISTORY_TIMEOUT_S = 5.0

#: Events that are listed where nobody says how many.
LISTED = 100

#: Who comes back to another branch is told what happened since so long before the last event that
#: it has, in seconds: clocks differ, and events take a moment from branch to branch.
OVERLAP_S = 5.0

#: What tells who makes a request.
_CREDENTIALS = ("HTTP_AUTHORIZATION", "HTTP_COOKIE", "REMOTE_ADDR", "REQUEST_METHOD", "PATH_INFO")

_HEADERS = {
    "Accept": "application/json asks for a list of what has happened, like follow=0.",
    "Last-Event-ID": "Goes on behind the event of this id.",
}


class Events:
    """The events of the whole cluster, as a list or as a stream.

    Args:
        service: The use cases.
        streams: Sends events to those who follow them.
    """

    def __init__(self, service: Service, streams: Broadcaster) -> None:
        self._service = service
        self._streams = streams

    @operation(
        "Follow or list the events of the cluster",
        takes=EventParameters,
        gives=list[EventReply],
        headers=_HEADERS,
        also={MEDIA_TYPE: str},
    )
    def on_get(self, req: Request, resp: falcon.Response) -> None:
        """Follow the events of the cluster, or list those that have happened."""
        wanted = self._wanted(req.given)
        if not req.given.get("follow", True) or _prefers_list(req):
            limit = req.given.get("limit")
            past = self._past(wanted, LISTED if limit is None else limit)
            answer(resp, [event_reply(each) for each in in_turns(past)])
            return
        resp.content_type = MEDIA_TYPE
        # nginx would gather what is to be seen at once.
        resp.set_header("X-Accel-Buffering", "no")
        resp.set_header("Cache-Control", "no-store, no-transform")
        if req.method != "HEAD":
            self._follow(req, resp, wanted)

    on_head = on_get

    def _wanted(self, given: Mapping[str, Any]) -> EventFilter:
        return EventFilter(
            apps=_sorted(given.get("app")),
            instances=_sorted(given.get("instance")),
            branches=_sorted(given.get("branch")),
            kinds=_sorted(given.get("kind")),
            since=moment_meant(given.get("since"), self._service.now()),
        )

    def _past(self, wanted: EventFilter, limit: int) -> tuple[Event, ...]:
        feed = self._service.feed
        return feed.history(wanted, limit, timeout_s=HISTORY_TIMEOUT_S).events

    # --- streams --------------------------------------------------------------------------------

    def _follow(self, req: Request, resp: falcon.Response, wanted: EventFilter) -> None:
        held = [self._streams.reserve(str(req.env.get("REMOTE_ADDR", "")))]

        def release() -> None:
            while held:
                held.pop()()

        try:
            held.append(self._service.feed.hold())
            if req.given.get("rows"):
                held.append(self._streams.expect_rows())
            listener, past = self._begin(req, wanted, release)
        except BaseException:
            release()
            raise
        at = moment(self._service.now())
        first = hello_frame(self._service.branch_id, cyme.__version__, at)
        resp.stream = self._streams.offer(
            listener, first + b"".join(event_frame(event) for event in past)
        )

    def _begin(
        self, req: Request, wanted: EventFilter, release: Callable[[], None]
    ) -> tuple[Listener, tuple[Event, ...]]:
        """Return who will listen, and what it is told first."""
        feed = self._service.feed
        mark = mark_of(req.env.get("HTTP_LAST_EVENT_ID", ""))
        position = feed.position
        past: tuple[Event, ...] = ()
        known: dict[str, Cursor] | None = None
        seen = feed.position_of(mark.branch, mark.cursor) if mark is not None else None
        limit = _count_first(req.given, mark)
        if seen is not None:
            position = seen
        elif limit:
            history = feed.history(
                wanted if mark is None else _since(wanted, mark),
                limit,
                timeout_s=HISTORY_TIMEOUT_S,
            )
            known = history.cursors
            past = tuple(each for each in history.events if mark is None or _is_after(each, mark))
        listener = Listener(
            origin=str(req.env.get("REMOTE_ADDR", "")),
            wanted=_without_since(wanted),
            tasks=req.given.get("tasks", False),
            rows=req.given.get("rows", False),
            may_write=req.caller.role >= Role.OPERATOR,
            position=position,
            known=known,
            may_listen=_still(req),
            release=release,
        )
        return listener, past


def _prefers_list(req: Request) -> bool:
    accepted = req.env.get("HTTP_ACCEPT", "")
    return falcon.MEDIA_JSON in accepted and MEDIA_TYPE not in accepted


def _sorted(names: list[str] | None) -> tuple[str, ...]:
    """Return names in one order, so that those who want the same are recognised."""
    return tuple(sorted(set(names or ())))


def _count_first(given: Mapping[str, Any], mark: Mark | None) -> int:
    limit: int | None = given.get("limit")
    if limit is not None and mark is None:
        return limit
    return EVENTS_MAX if mark is not None or given.get("since") is not None else 0


def _since(wanted: EventFilter, mark: Mark) -> EventFilter:
    return EventFilter(
        apps=wanted.apps,
        instances=wanted.instances,
        branches=wanted.branches,
        kinds=wanted.kinds,
        since=mark.at - OVERLAP_S,
    )


def _without_since(wanted: EventFilter) -> EventFilter:
    """Return what is wanted of the future, which is the same whenever the past begins."""
    return EventFilter(
        apps=wanted.apps,
        instances=wanted.instances,
        branches=wanted.branches,
        kinds=wanted.kinds,
    )


def _is_after(event: Event, mark: Mark) -> bool:
    """Tell whether an event may be new to who has that of the mark."""
    return event.branch != mark.branch or event.cursor > mark.cursor


def _still(req: Request) -> Callable[[], bool]:
    """Return what tells whether who made a request may still make it."""
    credentials = {name: req.env[name] for name in _CREDENTIALS if name in req.env}
    caller_of = req.caller_of
    role = req.caller.role

    def may_listen() -> bool:
        caller: Caller = caller_of(credentials)
        return caller.role == role

    return may_listen
