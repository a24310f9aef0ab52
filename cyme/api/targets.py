"""The URL in the path of a request that queues it, as it came: byte for byte.

WSGI's ``PATH_INFO`` is unquoted, and what was quoted cannot be told any more; so the target is
cut out of the request's own target, ``RAW_URI``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from cyme.errors import InvalidRequest

_SEGMENTS_BEFORE = 4
_ENCODED_COLON = "%3a"

#: Everything that a URL may contain as it is.
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}#')


def target_of(env: Mapping[str, Any], app: str, queue: str) -> str:
    """Return the URL to queue.

    Clients and proxies fold ``//`` into ``/``, and careful ones encode the whole URL; both are
    understood, since neither can mean anything else.

    Args:
        env: The WSGI environment, whose ``RAW_URI`` is ``/<app>/queue/<queue>/<url>``.
        app: The app that the path was routed by.
        queue: The queue that the path was routed by.

    Raises:
        InvalidRequest: There is no URL, or none that a worker can request.
    """
    path, mark, query = str(env["RAW_URI"]).partition("?")
    if not mark and env["QUERY_STRING"]:
        mark, query = "?", env["QUERY_STRING"]
    before, _, url = _split(path)
    if [unquote(segment) for segment in before] != ["", app, "queue", queue]:
        raise InvalidRequest("The path's slashes must not be percent-encoded before the URL.")
    url = _with_scheme(url, f"/{app}/queue/{queue}/") + mark + query
    return _checked(url)


def _split(path: str) -> tuple[list[str], str, str]:
    segments = path.split("/", _SEGMENTS_BEFORE)
    before, rest = segments[:_SEGMENTS_BEFORE], segments[_SEGMENTS_BEFORE:]
    return before, "/", rest[0] if rest else ""


def _with_scheme(url: str, path: str) -> str:
    scheme, _, _ = url.partition(":")
    encoded, _, _ = url.lower().partition(_ENCODED_COLON)
    if encoded in {"http", "https"}:
        url = quote(unquote_to_bytes(url.encode("latin-1")), safe=_URL_SAFE)
        scheme = encoded
    if scheme.lower() not in {"http", "https"}:
        raise InvalidRequest.of(
            "url", f"must begin with http:// or https://, as in {path}http://host/path?query"
        )
    rest = url[len(scheme) + 1 :]
    if rest.startswith("/") and not rest.startswith("//"):
        rest = "/" + rest
    return f"{scheme}:{rest}"


def _checked(url: str) -> str:
    """Return the URL with what is not ASCII percent-encoded, if it names a host."""
    if not url.isascii():
        url = quote(url.encode("latin-1"), safe=_URL_SAFE + '"<>\\^`{|}')
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise InvalidRequest.of("url", "has no host, or a port that is none")
    return url
