"""How responders answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import falcon
import gevent
import msgspec

from cyme.api.conditions import is_unchanged
from cyme.api.operations import Request
from cyme.api.representations.deeds import Accepted, Ok
from cyme.core.names import check_name
from cyme.runtime.service import Service

T = TypeVar("T")

#: What a long list shows is put together in turns of so many, so that nobody waits for all of it.
RECORDS_A_TURN = 50

#: A turn of the others lasts so long at least, in seconds. It is a time over 0: greenlets that only
#: give way run on before the event loop looks at its sockets.
TURN_S = 0.0005

_encode = msgspec.json.Encoder().encode


def answer(
    resp: falcon.Response,
    body: Any,
    *,
    status: int = 200,
    tag: str | None = None,
    location: str | None = None,
    age_s: float | None = None,
) -> None:
    """Answer with a representation.

    Args:
        resp: The response to fill.
        body: What it says, JSON types or a ``msgspec.Struct``.
        status: The HTTP status.
        tag: The entity tag of what is represented, quoted.
        location: The path of what was created.
        age_s: How long ago another branch told what is represented, in seconds (RFC 9111,
            section 5.1); None where this branch knows by itself.
    """
    resp.data = _encode(body)
    if status != 200:  # noqa: PLR2004 - falcon's default
        resp.status = status
    if tag is not None:
        resp.set_header("ETag", tag)
    if location is not None:
        resp.set_header("Location", location)
    if age_s is not None:
        resp.set_header("Age", str(int(age_s)))


def answer_unchanged(req: Request, resp: falcon.Response, tag: str) -> bool:
    """Answer 304 if the client has what the tag stands for already; tell whether that is so."""
    if not is_unchanged(req, tag):
        return False
    resp.status = 304
    resp.set_header("ETag", tag)
    return True


def answer_list(
    req: Request,
    resp: falcon.Response,
    *,
    names: Callable[[], Sequence[str]],
    records: Callable[[], Sequence[T]],
    show: Callable[[T], object],
) -> None:
    """Answer with names, or with ``details`` with all about what they name.

    Args:
        req: The request, of ``ListParameters``.
        resp: The response to fill.
        names: Returns the names.
        records: Returns what they name, in the same order.
        show: Returns how one of these is represented.
    """
    if req.given.get("details"):
        answer(resp, [show(each) for each in in_turns(records())])
    else:
        answer(resp, names())


def answer_done(
    req: Request,
    resp: falcon.Response,
    service: Service,
    write: Callable[[], object],
    kind: str,
    body: Accepted,
) -> None:
    """Write and answer that it is done, or as ``answer_later`` if the client does not wait."""
    if req.is_async:
        answer_later(resp, service, write, kind, body)
        return
    write()
    answer(resp, Ok())


def answer_later(
    resp: falcon.Response,
    service: Service,
    write: Callable[[], object],
    kind: str,
    body: Accepted,
    *,
    location: str | None = None,
) -> None:
    """Start a write and answer 202 with what is known already.

    Args:
        resp: The response to fill.
        service: Where the write goes on.
        write: Writes, or raises what is then only logged.
        kind: What is written: ``app``, ``instance``, ``queue``.
        body: Names it.
        location: The path of what will be created.

    Raises:
        InvalidRequest: A name can be none.
        Overloaded: Too many are under way.
    """
    check_name("app", body.app)
    check_name(kind, body.name)
    if body.instance is not None:
        check_name("instance", body.instance)

    def run() -> None:
        write()

    service.later(run)
    answer(resp, body, status=202, location=location)


def in_turns(records: Sequence[T]) -> Iterator[T]:
    """Return the records one by one, letting others run after every few of them."""
    for count, record in enumerate(records, start=1):
        yield record
        if count % RECORDS_A_TURN == 0:
            gevent.sleep(TURN_S)


def path_of(*segments: str) -> str:
    """Return the canonical path of a resource, from its segments."""
    return "/" + "".join(f"{quote(segment, safe='')}/" for segment in segments)
