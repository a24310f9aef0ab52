"""What a browser that visits another site may do here: nothing.

Reads count too, since a GET can queue a URL. Three marks tell such a request: a ``Host`` that is
not ours (DNS rebinding), an ``Origin`` or a ``Referer`` that is not this server, and fetch
metadata that says the request came from another site. Programs send none of the latter two.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cyme.errors import Forbidden, Misdirected

#: Names that always reach this machine from this machine.
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

_WILDCARDS = frozenset({"", "*", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_OWN_SITES = frozenset({"same-origin", "none"})
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:@/]+))(?::[0-9]*)?")
_VERDICTS_MAX = 256


class BrowserGuard:
    """Tells requests that a foreign site made a browser send.

    Args:
        allowed_hosts: Names and addresses that this server goes by, beside the loopback ones. A
            wildcard address stands for every address: none can be rebound, having no name.
    """

    def __init__(self, allowed_hosts: Iterable[str]) -> None:
        names = {host.strip("[]").rstrip(".").lower() for host in allowed_hosts}
        self._any_address = bool(names & _WILDCARDS)
        self._names = (names - _WILDCARDS) | LOOPBACK_HOSTS
        #: Host headers found good; bad ones are not kept, so that they cannot crowd these out.
        self._good: set[str] = set()

    def check(self, env: Mapping[str, Any]) -> None:
        """Let a request pass that no foreign site can have caused.

        Args:
            env: The request's WSGI environment.

        Raises:
            Misdirected: Its host is none of ours.
            Forbidden: It comes from another site.
        """
        self.check_host(env)
        host = env.get("HTTP_HOST")
        site = env.get("HTTP_SEC_FETCH_SITE")
        if site is not None and site.lower() not in _OWN_SITES:
            raise Forbidden("Another site made the browser send this request; it is refused.")
        origin = env.get("HTTP_ORIGIN")
        if origin is None:
            origin = env.get("HTTP_REFERER")
        if origin is not None and (host is None or _authority(origin) != host.lower()):
            raise Forbidden(
                f"The request comes from the origin {origin[:200]!r}, not from this server's own "
                "pages; it is refused."
            )

    def check_host(self, env: Mapping[str, Any]) -> None:
        """Let a request pass that is meant for this server, wherever its link was found.

        Args:
            env: The request's WSGI environment.

        Raises:
            Misdirected: Its host is none of ours.
        """
        host = env.get("HTTP_HOST")
        if host is not None and host not in self._good:
            self._check_name(host)

    def _check_name(self, host: str) -> None:
        match = _HOST.fullmatch(host)
        name = (match[1] or match[2]).rstrip(".").lower() if match else ""
        if name not in self._names and not (self._any_address and _is_address(name)):
            raise Misdirected(
                f"This branch is not known as {host[:200]!r}. Use one of its own names, or "
                "allow this one (cyme-branch --allowed-host)."
            )
        if len(self._good) < _VERDICTS_MAX:
            self._good.add(host)


def is_browser(env: Mapping[str, Any]) -> bool:
    """Tell whether a browser sends a request, or the page in one.

    Browsers leave their fetch metadata out where they reach a host without TLS, so the marks of
    the page count too.

    Args:
        env: The request's WSGI environment.
    """
    return (
        "HTTP_SEC_FETCH_MODE" in env
        or "HTTP_X_CSRF_TOKEN" in env
        or str(env.get("HTTP_ACCEPT", "")).startswith("text/event-stream")
    )


def _authority(url: str) -> str:
    """Return host and port of the page that an ``Origin`` or a ``Referer`` names."""
    return url.partition("://")[2].partition("/")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
