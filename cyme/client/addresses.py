"""The URLs of branches."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8000"

#: Hosts whose traffic does not leave the machine.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a branch is reached.

    Attributes:
        url: The URL without a last slash; it holds no secret.
        is_secure: Whether TLS is spoken.
        host: A name or an address, without brackets.
        port: The port.
        prefix: The path that a proxy puts before the branch's own, without a last slash.
    """

    url: str
    is_secure: bool
    host: str
    port: int
    prefix: str


def address_of(url: str) -> Address:
    """Return where a URL leads.

    Args:
        url: ``http://host:port`` or ``https://...``; without a scheme it is http, without a port
            that of the scheme. ``:port`` is this machine.

    Raises:
        ValueError: It is no such URL.
    """
    text = url.strip()
    if text.startswith(":"):
        text = f"127.0.0.1{text}"
    if "://" not in text:
        text = f"http://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or not text.isascii() or not text.isprintable():
        raise ValueError(f"{_shown(url)!r} is no URL of a branch, as {DEFAULT_URL} is one.")
    if "@" in parts.netloc:
        raise ValueError("A URL of a branch holds no user and no password; give token= instead.")
    if parts.query or parts.fragment:
        raise ValueError(f"The URL {_shown(url)!r} has a query or a fragment; leave it out.")
    prefix = parts.path.rstrip("/")
    return Address(
        url=f"{scheme}://{parts.netloc}{prefix}",
        is_secure=scheme == "https",
        host=host,
        port=port or _PORTS[scheme],
        prefix=prefix,
    )


def _shown(url: str) -> str:
    """Return a URL as it may be told: without what stands before an ``@``."""
    scheme, separator, rest = url.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def may_be_token(text: str) -> bool:
    """Tell whether a text can be a token, and so be sent as one."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
