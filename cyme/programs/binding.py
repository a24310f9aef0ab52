"""Where HTTP is served: what is safe to bind, and by which names it goes."""

from __future__ import annotations

import ipaddress
import socket

from cyme.api.server import listen, tls_context
from cyme.errors import SettingsError
from cyme.settings import Settings


def bind(settings: Settings) -> socket.socket | None:
    """Return a socket that listens where HTTP is to be served, None if it is not.

    Raises:
        AddressUnavailable: The address cannot be bound.
        SettingsError: It can be reached from other machines and is not protected, or the
            certificate cannot be used.
    """
    if settings.without_http:
        return None
    if settings.tls_cert is not None:
        tls_context(settings.tls_cert, settings.tls_key)
    elif settings.tls_key is not None:
        raise SettingsError("--tls-key: it needs the certificate too; name it with --tls-cert.")
    listening = listen((settings.address.host, settings.address.port))
    if not (is_loopback(listening) or settings.tls_cert or settings.insecure):
        listening.close()
        raise SettingsError(
            f"{settings.address} can be reached from other machines, and without TLS whoever sees "
            "the traffic can read tokens and broker passwords and use them. Give --tls-cert and "
            "--tls-key, or serve this machine alone "
            f"(cyme-branch :{settings.address.port}), or accept the risk with --insecure."
        )
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Tell whether a socket can be reached from this machine alone."""
    address = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def url_of(listening: socket.socket, scheme: str) -> str:
    """Return the URL by which clients reach what is served on a socket."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def machine_names() -> tuple[str, ...]:
    """Return the names that this machine goes by."""
    name = socket.gethostname()
    return (name, name.partition(".")[0])
