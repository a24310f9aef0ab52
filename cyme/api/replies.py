"""How responders answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import falcon
import msgspec

from cyme.api.representations import Accepted
from cyme.core.names import check_name
from cyme.runtime.service import Service

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


def path_of(*segments: str) -> str:
    """Return the canonical path of a resource, from its segments."""
    return "/" + "".join(f"{quote(segment, safe='')}/" for segment in segments)
