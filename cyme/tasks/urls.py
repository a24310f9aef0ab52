"""A URL taken to pieces so that it can be put on the wire as it was queued."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from cyme.tasks.failures import WebhookForbidden, WebhookInvalid

DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]+)((?:[/?][^#]*)?)(?:#.*)?\Z")
_NOT_IN_URL = re.compile(r"[^!-~]")
#: Everything that may stand in a URL as it is, so that only the rest is quoted.
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL taken to pieces, none of them changed.

    Attributes:
        host: Name or address, without brackets.
        authority: Host and port as they were written, for the header ``Host``.
        target: Path and query, as they go on the wire.
        login: User and password as they were written, or None.
    """

    scheme: str
    host: str
    port: int
    authority: str
    target: str
    login: str | None

    @classmethod
    def read(cls, text: str) -> Url:
        """Take a URL to pieces.

        Raises:
            WebhookForbidden: The scheme is neither http nor https.
            WebhookInvalid: It is no URL.
        """
        found = _URL.match(text)
        if _NOT_IN_URL.search(text) or found is None:
            raise WebhookInvalid(
                "The URL must be scheme://host/path?query in ASCII; percent-encode the rest."
            )
        scheme, netloc, target = found.groups()
        scheme = scheme.lower()
        if scheme not in DEFAULT_PORTS:
            raise WebhookForbidden(f"{scheme!r} is not requested; use http or https.")
        login, at, authority = netloc.rpartition("@")
        try:
            parts = urlsplit(f"//{authority}")
            host, port = parts.hostname, parts.port
        except ValueError as exc:
            raise WebhookInvalid(f"The host of the URL cannot be read: {exc}") from exc
        if not host:
            raise WebhookInvalid("The URL names no host.")
        return cls(
            scheme=scheme,
            host=host,
            port=DEFAULT_PORTS[scheme] if port is None else port,
            authority=authority,
            target=target if target.startswith("/") else f"/{target}",
            login=login if at else None,
        )

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def told(self) -> str:
        """The URL as errors and logs have it: without its query too, which may hold a token."""
        return self.shown.partition("?")[0]

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a login may be sent to again."""
        return self.scheme, self.host.lower(), self.port

    def joined(self, location: str) -> Url:
        """Return where a redirect leads to; the login goes along within one origin."""
        quoted = quote(location, safe=_URL_SAFE, encoding="latin-1")
        url = Url.read(urljoin(self.shown, quoted))
        return replace(url, login=url.login or (self.login if url.origin == self.origin else None))
