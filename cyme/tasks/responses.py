"""Turn a response into what JSON can hold, and no more of it than is wanted."""

from __future__ import annotations

import base64
import http.client
import os
from collections.abc import Mapping

#: So many bytes of a response are kept.
RESPONSE_BYTES_VARIABLE = "CYME_WEBHOOK_RESPONSE_BYTES"
RESPONSE_BYTES_MAX = 1024 * 1024


def content_of(response: http.client.HTTPResponse, method: str) -> dict[str, object]:
    """Read what is to be kept of a response's content.

    Args:
        response: A response whose headers have been read.
        method: The method of its request.

    Returns:
        ``content``, with ``encoding: base64`` if it is not text, and ``truncated: true`` if there
        was more of it.

    Raises:
        http.client.HTTPException: The connection ended before the content did.
        OSError: The connection failed, or the time is over.
    """
    bytes_max = _response_bytes_max()
    length = response.length
    is_tunnel = method == "CONNECT" and 200 <= response.status < 300  # noqa: PLR2004 - HTTP's
    if is_tunnel and length is None and not response.chunked:
        return {"content": ""}
    data = response.read(bytes_max + 1)
    truncated = len(data) > bytes_max
    data = data[:bytes_max]
    if length is not None and len(data) < min(length, bytes_max):
        raise http.client.IncompleteRead(data, length - len(data))
    written: dict[str, object] = {}
    text = _text(data, response, truncated=truncated)
    if text is None:
        written |= {"content": base64.b64encode(data).decode(), "encoding": "base64"}
    else:
        written |= {"content": text}
    if truncated:
        written["truncated"] = True
    return written


def _text(data: bytes, response: http.client.HTTPResponse, *, truncated: bool) -> str | None:
    """Return content as text, or None if it is none."""
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        return None
    charset = response.headers.get_content_charset() or "utf-8"
    try:
        try:
            text = data.decode(charset)
        except UnicodeDecodeError as exc:
            # The end may have been cut through a character.
            if not truncated or exc.start < len(data) - 8:
                raise
            text = data[: exc.start].decode(charset)
        text.encode()
    except (LookupError, ValueError):
        return None
    return text


def headers_of(response: http.client.HTTPResponse) -> Mapping[str, str]:
    """Return headers with repeated ones in one: cookies in lines, the others with commas."""
    headers: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, value in response.headers.items():
        name = spelled.setdefault(name.lower(), name)  # noqa: PLW2901 - as it was spelled first
        separator = "\n" if name.lower() == "set-cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else str(value)
    return headers


def _response_bytes_max() -> int:
    text = os.environ.get(RESPONSE_BYTES_VARIABLE, "")
    return int(text) if text.isdigit() else RESPONSE_BYTES_MAX
