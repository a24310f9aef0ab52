"""Settings: HTTP and access."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.settings.kinds import HOSTS, PATH, SWITCH
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """Who may reach the HTTP API, and how."""

    without_http: bool = setting(
        "without-http",
        SWITCH,
        "Serve no HTTP; the branch only keeps its workers running.",
        default=False,
        aliases=("--without-httpd",),
    )
    tls_cert: Path | None = setting(
        "tls-cert",
        PATH,
        "The certificate chain (PEM); makes it HTTPS.",
        default=None,
        default_text="none",
    )
    tls_key: Path | None = setting(
        "tls-key",
        PATH,
        "The certificate's private key (PEM).",
        default=None,
        default_text="in the certificate's file",
    )
    require_token: bool = setting(
        "require-token",
        SWITCH,
        "Ask for a token on a loopback address too, where anybody on this machine is an "
        "operator otherwise.",
        default=False,
    )
    insecure: bool = setting(
        "insecure",
        SWITCH,
        "Serve other addresses than loopback without TLS. Whoever sees the traffic can then "
        "read every token and broker password, and use them. Tokens are asked for all the "
        "same.",
        default=False,
    )
    allowed_hosts: tuple[str, ...] = setting(
        "allowed-host",
        HOSTS,
        "A further host name that clients may use for this branch; may be repeated.",
        default=(),
        default_text="this machine's names and the address",
    )
