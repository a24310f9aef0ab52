"""Make a request and those that it is redirected to.

``http.client`` writes what it is given. The libraries above it normalise the percent-encoding of
the target, which is not theirs to change.
"""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from cyme import __version__
from cyme.tasks.connections import Wire, connected
from cyme.tasks.failures import WebhookFailed, WebhookInvalid
from cyme.tasks.reach import Reach
from cyme.tasks.responses import content_of, headers_of
from cyme.tasks.urls import Url

REDIRECTS_MAX = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Redirects after which the body is not sent again (RFC 9110, section 15.4).
REDIRECTS_WITHOUT_BODY = frozenset({301, 302, 303})
REDIRECTED_METHODS = frozenset({"GET", "HEAD"})
METHODS_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})

_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it is to go on the wire.

    Attributes:
        method: The verb, as it was given.
        url: Whom to ask for what.
        body: The body's bytes.
        content_type: The body's type, or None to name none.
    """

    method: str
    url: Url
    body: bytes
    content_type: str | None

    def __post_init__(self) -> None:
        if _METHOD.match(self.method) is None:
            raise WebhookInvalid(f"{self.method!r} is not an HTTP method.")

    def headers(self) -> Iterator[tuple[str, str]]:
        """Yield names and values of the headers to send."""
        yield "Host", self.url.authority
        yield "User-Agent", f"cyme/{__version__}"
        yield "Accept", "*/*"
        yield "Accept-Encoding", "identity"
        if self.url.login is not None:
            login = unquote_to_bytes(self.url.login)
            yield "Authorization", f"Basic {base64.b64encode(login).decode()}"
        if self.content_type is not None:
            yield "Content-Type", self.content_type
        if self.body or self.method in METHODS_WITH_BODY:
            yield "Content-Length", str(len(self.body))
        yield "Connection", "close"


def follow(request: Request, reach: Reach, deadline: float) -> dict[str, object]:
    """Make a request and those that it is redirected to; return the last response.

    Args:
        request: The first request.
        reach: What may be reached, asked anew for each request.
        deadline: When all of it ends, by ``time.monotonic``.

    Raises:
        WebhookFailed: There is no answer, or there are too many redirects.
        WebhookForbidden: A URL leads to where this worker may not go.
        WebhookInvalid: A URL or a header cannot be put on the wire.
    """
    for _ in range(REDIRECTS_MAX + 1):
        response, location = _ask(request, reach, deadline)
        if location is None:
            return response
        request = replace(request, url=request.url.joined(location))
        if response["status_code"] in REDIRECTS_WITHOUT_BODY:
            request = replace(request, body=b"", content_type=None)
    raise WebhookFailed(f"More than {REDIRECTS_MAX} redirects, the last to {request.url.told}.")


def _ask(request: Request, reach: Reach, deadline: float) -> tuple[dict[str, object], str | None]:
    """Make one request; return the response, and where it redirects to."""
    told = request.url.told
    try:
        with closing(connected(request.url, reach, deadline)) as sock:
            wire = Wire(sock, deadline)
            response = _send(request, wire)
            content = content_of(response, request.method)
    except TimeoutError as exc:
        raise WebhookFailed(f"{told} did not answer in time.") from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = str(exc) or type(exc).__name__
        raise WebhookFailed(f"{told} cannot be requested: {reason}") from exc
    except ValueError as exc:
        raise WebhookInvalid(f"{told} cannot be requested: {exc}") from exc
    location = None
    if request.method in REDIRECTED_METHODS and response.status in REDIRECTS:
        location = response.headers.get("Location") or None
    head = {"status_code": response.status, "url": request.url.shown}
    return {**head, "headers": headers_of(response), **content}, location


def _send(request: Request, wire: Wire) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(request.url.host, request.url.port)
    connection.sock = wire  # http.client wants no more of a socket than Wire has
    connection.putrequest(
        request.method, request.url.target, skip_host=True, skip_accept_encoding=True
    )
    for name, value in request.headers():
        connection.putheader(name, value)
    connection.endheaders()
    # A target may answer, and close, before it has read a body that it does not want.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.send(request.body)
    return connection.getresponse()
