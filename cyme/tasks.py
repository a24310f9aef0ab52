"""What Cyme adds to a worker: the task that requests a queued URL, and an application to run it.

Laws:

* only the standard library and Celery are imported, so that this file serves in the user's own
  virtual environment as well;
* what goes out is what was queued, byte for byte. So requests are written with ``http.client``:
  the libraries above it normalise the target's percent-encoding;
* the address that was checked is the one that is connected to. A name is looked up once for each
  request, and a redirect is a new request;
* every wait ends at one deadline, however slowly the target sends;
* a user and a password in a URL reach the target only: no message and no result names them.
"""

from __future__ import annotations

import base64
import binascii
import http.client
import io
import ipaddress
import json
import logging
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

from celery import Celery, shared_task
from celery.signals import celeryd_after_setup
from kombu import Queue
from kombu.exceptions import OperationalError

from cyme import __version__

logger = logging.getLogger(__name__)

#: What webhooks may reach beside public addresses: networks (CIDR), names of hosts, ``private``,
#: ``loopback``, ``any``; separated by commas.
ALLOW_VARIABLE = "CYME_WEBHOOK_ALLOW"
#: So many bytes of a response are kept.
RESPONSE_BYTES_VARIABLE = "CYME_WEBHOOK_RESPONSE_BYTES"
RESPONSE_BYTES_MAX = 1024 * 1024
#: Queues to consume from beside those of ``-Q``: a JSON list of declarations.
QUEUES_VARIABLE = "CYME_QUEUES"

CONNECT_S_MAX = 15.0
REDIRECTS_MAX = 5
RETRY_S_FIRST = 1.0
RETRY_S_MAX = 60.0
SEND_BYTES = 64 * 1024
#: How long a broker may take to say what it thinks of a declaration.
TRIAL_S = 5

DEFAULT_PORTS = {"http": 80, "https": 443}
METHODS_WITH_BODY = frozenset({"PATCH", "POST", "PUT"})
REDIRECTED_METHODS = frozenset({"GET", "HEAD"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Redirects after which the body is not sent again (RFC 9110, section 15.4).
REDIRECTS_WITHOUT_BODY = frozenset({301, 302, 303})

app = Celery("cyme", set_as_current=False)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    result_expires=24 * 3600,
    result_persistent=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
)


class WebhookError(Exception):
    """A URL could not be requested."""


class WebhookFailed(WebhookError):
    """The target cannot be reached, or gives no complete HTTP answer in time."""


class WebhookForbidden(WebhookError):
    """The URL leads to where this worker may not go."""


class WebhookInvalid(WebhookError):
    """The request cannot be made as it is given."""


@shared_task(bind=True, name="cyme.tasks.webhook", ignore_result=False)  # type: ignore[untyped-decorator]
def webhook(
    self: Any,
    *,
    method: str,
    url: str,
    body: str = "",
    content_type: str | None = None,
    timeout_s: float = 60.0,
    retries: int = 0,
) -> dict[str, object]:
    """Request a URL and return the response, whatever its status is.

    Args:
        self: The task.
        method: Any verb.
        url: Its path and query go on the wire as they are.
        body: The body's bytes in base64.
        content_type: The body's type.
        timeout_s: How long all of it may take, redirects included, in seconds.
        retries: How often to try again, later and later, when the target cannot be reached or
            answers with 5xx; the last 5xx is the result.

    Returns:
        ``status_code``, ``url`` (where redirects led to), ``headers``, ``content``; with
        ``encoding: base64`` if that is not text, and ``truncated: true`` if there was more.

    Raises:
        WebhookFailed: There was no answer.
        WebhookForbidden: The target, or one that it redirects to, may not be reached.
        WebhookInvalid: The arguments cannot be turned into a request.
    """
    failure = None
    try:
        request = _Request(
            method=_checked_method(method),
            url=Url.read(url),
            body=base64.b64decode(body, validate=True),
            content_type=content_type,
        )
        response = _follow(request, Reach.of_environment(), time.monotonic() + timeout_s)
        if int(str(response["status_code"])) < 500 or self.request.retries >= retries:  # noqa: PLR2004 - HTTP's
            return response
        failure = WebhookFailed(f"{request.url.shown} answered {response['status_code']}")
    except WebhookFailed as exc:
        failure = exc
    except (binascii.Error, UnicodeError) as exc:
        raise WebhookInvalid(f"The request cannot be made: {exc}") from exc
    # A URL may hold a password, so what is logged of the new message is said here.
    raise self.retry(
        exc=failure,
        countdown=retry_delay_s(self.request.retries),
        max_retries=retries,
        argsrepr="()",
        kwargsrepr=repr({"method": method, "url": request.url.shown}),
    )


def retry_delay_s(retries: int) -> float:
    """Return how long to wait before a request is tried again, in seconds.

    Args:
        retries: How often it was tried again already.
    """
    longest = min(RETRY_S_MAX, RETRY_S_FIRST * 2 ** min(retries, 16))
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, keeps no secret


# --- where webhooks may go -----------------------------------------------------------------------

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


WORDS = {
    "private": _networks(
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"
    ),
    "loopback": _networks("127.0.0.0/8", "::1/128"),
}
#: Link-local addresses and those where clouds hand out credentials: a network of its own or
#: ``any`` must allow them, no other word and no name does.
GUARDED = _networks(
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
)
#: What the module ``ipaddress`` of some Python versions holds to be globally routable and is not:
#: special purposes of the IANA registries, and all of IPv6 that is not global unicast.
NOT_GLOBAL = _networks("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: IPv4 addresses are embedded in the last 32 bits of these (RFC 4291, RFC 6052).
EMBEDDING = _networks("::/96", "::ffff:0:0/96", "64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Reach:
    """What webhooks of this worker may reach beside public addresses."""

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    @classmethod
    def of_environment(cls) -> Reach:
        """Return what the environment allows."""
        return cls.read(os.environ.get(ALLOW_VARIABLE, ""))

    @classmethod
    def read(cls, text: str) -> Reach:
        """Read a list separated by commas; what is neither word nor network is a name."""
        networks: list[Network] = []
        names, words = set(), set()
        for item in filter(None, (part.strip().lower() for part in text.split(","))):
            if item == "any" or item in WORDS:
                words.add(item)
                continue
            try:
                networks.append(ipaddress.ip_network(item.strip("[]"), strict=False))
            except ValueError:
                names.add(item.rstrip("."))
        return cls(tuple(networks), frozenset(names), frozenset(words))

    def permits(self, text: str, host: str) -> bool:
        """Tell whether a connection may be made.

        Args:
            text: The address, as the resolver gave it.
            host: The name that it was the answer to.
        """
        address = ipaddress.ip_address(text)
        return self._names(address) or self._permits(_embedded(address) or address, host)

    def _names(self, address: Address) -> bool:
        return "any" in self.words or any(address in network for network in self.networks)

    def _permits(self, address: Address, host: str) -> bool:
        if self._names(address):
            return True
        if any(address in network for network in GUARDED):
            return False
        if host.lower().rstrip(".") in self.names:
            return True
        if any(address in network for word in self.words for network in WORDS[word]):
            return True
        return _is_public(address)


def _embedded(address: Address) -> Address | None:
    """Return the IPv4 address that a packet to an IPv6 address ends up at, if it is such one."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    is_own = address.is_unspecified or address.is_loopback
    if not is_own and any(address in network for network in EMBEDDING):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    if any(address in network for network in NOT_GLOBAL):
        return False
    return address.is_global and not address.is_multicast


# --- one URL -------------------------------------------------------------------------------------

_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}\Z")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]+)([^#]*)")
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
    def origin(self) -> tuple[str, str, int]:
        """What a login may be sent to again."""
        return self.scheme, self.host.lower(), self.port

    def joined(self, location: str) -> Url:
        """Return where a redirect leads to; the login goes along within one origin."""
        quoted = quote(location, safe=_URL_SAFE, encoding="latin-1")
        url = Url.read(urljoin(self.shown, quoted))
        return replace(url, login=url.login or (self.login if url.origin == self.origin else None))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    url: Url
    body: bytes
    content_type: str | None

    def headers(self) -> Iterator[tuple[str, str]]:
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


def _checked_method(method: str) -> str:
    if _METHOD.match(method) is None:
        raise WebhookInvalid(f"{method!r} is not an HTTP method.")
    return method


def _follow(request: _Request, reach: Reach, deadline: float) -> dict[str, object]:
    """Make a request and those that it is redirected to; return the last response."""
    for _ in range(REDIRECTS_MAX + 1):
        response, location = _ask(request, reach, deadline)
        if location is None:
            return response
        request = replace(request, url=request.url.joined(location))
        if response["status_code"] in REDIRECTS_WITHOUT_BODY:
            request = replace(request, body=b"", content_type=None)
    raise WebhookFailed(f"More than {REDIRECTS_MAX} redirects, the last to {request.url.shown}.")


def _ask(request: _Request, reach: Reach, deadline: float) -> tuple[dict[str, object], str | None]:
    """Make one request; return the response, and where it redirects to."""
    shown = request.url.shown
    try:
        with closing(_connected(request.url, reach, deadline)) as sock:
            wire = _Wire(sock, deadline)
            response = _send(request, wire)
            content = _content(response, request.method)
    except ValueError as exc:
        raise WebhookInvalid(f"{shown} cannot be requested: {exc}") from exc
    except TimeoutError as exc:
        raise WebhookFailed(f"{shown} did not answer in time.") from exc
    except (OSError, http.client.HTTPException) as exc:
        reason = str(exc) or type(exc).__name__
        raise WebhookFailed(f"{shown} cannot be requested: {reason}") from exc
    location = None
    if request.method in REDIRECTED_METHODS and response.status in REDIRECTS:
        location = response.headers.get("Location") or None
    told = {"status_code": response.status, "url": shown, "headers": _headers(response)}
    return {**told, **content}, location


def _send(request: _Request, wire: _Wire) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(request.url.host)
    connection.sock = wire  # http.client wants no more of a socket than _Wire has
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


# --- the connection ------------------------------------------------------------------------------


def _connected(url: Url, reach: Reach, deadline: float) -> socket.socket:
    """Connect to the first address that may be reached and can be."""
    found = _addresses(url, deadline)
    permitted = [(family, to) for family, to in found if reach.permits(str(to[0]), url.host)]
    if not permitted:
        raise WebhookForbidden(
            f"{url.shown} leads to {', '.join(sorted({str(to[0]) for _, to in found}))}, where "
            "webhooks may not go. Allow it with --webhook-allow of cyme-branch, if it should be "
            "reached."
        )
    for index, (family, to) in enumerate(permitted):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(CONNECT_S_MAX, _left_s(deadline)))
            sock.connect(to)
            return _secured(sock, url, deadline) if url.scheme == "https" else sock
        except OSError:
            sock.close()
            if index == len(permitted) - 1:
                raise
    raise AssertionError("the last attempt either returns or raises")


def _secured(sock: socket.socket, url: Url, deadline: float) -> socket.socket:
    sock.settimeout(_left_s(deadline))
    return ssl.create_default_context().wrap_socket(sock, server_hostname=url.host)


def _addresses(url: Url, deadline: float) -> list[tuple[int, Any]]:
    """Look a name up; the resolver has no deadline of its own, so it is left behind at ours."""
    found: list[list[Any] | Exception] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, OverflowError) as exc:
            found.append(exc)

    thread = threading.Thread(target=look_up, name="cyme-resolver", daemon=True)
    thread.start()
    thread.join(_left_s(deadline))
    match found:
        case [list() as answers]:
            return [(family, to) for family, _, _, _, to in answers]
        case [Exception() as exc]:
            raise WebhookFailed(f"The host {url.host} cannot be looked up: {exc}") from exc
    raise WebhookFailed(f"The host {url.host} was not looked up in time.")


def _left_s(deadline: float) -> float:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the time is over")
    return left_s


class _Wire(io.RawIOBase):
    """A connected socket of which every wait ends at one deadline.

    A time limit of the socket alone begins anew with every byte that comes.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left_s(self._deadline))
        return self._sock.recv_into(buffer)

    def sendall(self, data: bytes) -> None:
        unsent = memoryview(data)
        while unsent:
            self._sock.settimeout(_left_s(self._deadline))
            unsent = unsent[self._sock.send(unsent[:SEND_BYTES]) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the socket to who connected it: the response is read after the request's end."""


# --- the response --------------------------------------------------------------------------------


def _content(response: http.client.HTTPResponse, method: str) -> dict[str, object]:
    """Read what is to be kept of a response's content, and write it as JSON can hold it."""
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


def _headers(response: http.client.HTTPResponse) -> Mapping[str, str]:
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


# --- queues that the command line cannot declare -------------------------------------------------


@celeryd_after_setup.connect  # type: ignore[untyped-decorator]
def consume_declared(instance: Any, **_: object) -> None:
    """Have a starting worker consume from the queues of ``CYME_QUEUES``.

    A declaration that cannot be used is logged and left out: it shall not cost the worker.
    """
    try:
        declarations = json.loads(os.environ.get(QUEUES_VARIABLE) or "[]")
    except ValueError:
        logger.exception("%s is not JSON; its queues are left out", QUEUES_VARIABLE)
        return
    for declaration in declarations:
        try:
            queue = declared_queue(declaration)
            _try_out(queue, instance.app)
            instance.app.amqp.queues.select_add(queue)
        except Exception:  # whatever is wrong with one queue, the others work
            logger.exception("the queue %r cannot be declared and is left out", declaration)


def declared_queue(declaration: Mapping[str, Any]) -> Queue:
    """Return the queue that a declaration describes.

    Args:
        declaration: ``name``, ``exchange``, ``exchange_type``, ``routing_key`` and ``options``,
            which are those of ``kombu.compat.entry_to_queue``; what is None has its default.
    """
    name = declaration["name"]
    return Queue.from_dict(
        name,
        **{
            **(declaration.get("options") or {}),
            "exchange": declaration.get("exchange") or name,
            "exchange_type": declaration.get("exchange_type") or "direct",
            "routing_key": declaration.get("routing_key") or name,
        },
    )


def _try_out(queue: Queue, current: Any) -> None:
    """Declare a queue on a connection of its own: a refusal would cost the worker its own.

    A broker that is away cannot be asked; the worker waits for it and declares the queue then.
    """
    with current.connection_for_read(connect_timeout=TRIAL_S) as connection:
        if connection.transport.driver_type != "amqp":
            return
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        except OperationalError:
            logger.warning("the broker is away, so the queue %s was not tried out", queue.name)
            return
        queue(connection.channel()).declare()
