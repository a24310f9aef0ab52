"""The kinds of values that a setting can have, and how each is read from text.

Flags and environment variables are text; a settings file has types of its own, which each kind
either takes or refuses. All three end in the same parser, so a value means the same wherever
it stands. A parser raises ``ValueError`` with a message that says what would be right, and that
never repeats a secret.
"""

from __future__ import annotations

import grp
import ipaddress
import math
import pwd
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cyme.core.names import check_name
from cyme.errors import InvalidRequest

PORT_MAX = 65535
DEPTH_MAX = 10**12
#: Linux keeps the numbers of users and groups in 32 bits, of which the last is none.
_ACCOUNT_MAX = 2**32 - 2
_ACCOUNT_DIGITS_MAX = 10
LOOPBACK = "127.0.0.1"

#: The port of the cluster's calls where none is named; its beats have the next one.
CLUSTER_PORT = 7700

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_LABEL_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}\Z")
_SIZE = re.compile(r"([0-9]{1,12})([KMG]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_WEBHOOK_WORDS = frozenset({"private", "loopback", "any"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        metavar: How a value is called in the help; empty for a switch, which takes none.
        parse: Reads a value from text.
        file_types: The types of TOML that a settings file may use for it.
        is_list: Whether it takes several values, ``parse`` being that of one.
        is_secret: Whether it may carry a password, so that it is never shown.
    """

    metavar: str
    parse: Callable[[str], object]
    file_types: tuple[type, ...] = (str,)
    is_list: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where HTTP is served.

    Attributes:
        host: A host name or an IP address without brackets.
        port: 0 to 65535; with 0 the system chooses a free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``[ADDR]:PORT``, ``:PORT`` or ``PORT``; without a host it is 127.0.0.1.

    Raises:
        ValueError: The text is of none of these forms.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit()):
        raise ValueError(
            f"{text!r} is not an address; write it as :8000, 0.0.0.0:8000, [::1]:8000 or host:8000"
        )
    if int(port) > PORT_MAX:
        raise ValueError(f"{port} is not a port; the highest is {PORT_MAX}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address") from None
    elif ":" in host:
        raise ValueError(f"an IPv6 address needs brackets, as in [::1]:8000; {text!r} has none")
    elif host:
        _check_host(host)
    return Address(host or LOOPBACK, int(port))


def parse_switch(text: str) -> bool:
    """Read a yes or no."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither yes nor no; write 1 or 0, true or false")


def parse_text(text: str) -> str:
    """Read text that is not empty."""
    if not text.strip():
        raise ValueError("it is empty")
    return text


def parse_path(text: str) -> Path:
    """Read a path; ``~`` is the home directory."""
    if "\0" in text:
        raise ValueError("a path cannot hold a NUL character")
    try:
        return Path(parse_text(text)).expanduser()
    except RuntimeError as exc:
        raise ValueError(f"{text!r}: no such home directory") from exc


def parse_name(text: str) -> str:
    """Read a name as ``cyme.core.names`` has them."""
    try:
        return check_name("branch", text)
    except InvalidRequest as exc:
        raise ValueError(
            f"{text!r} is not a name; use up to 128 letters, digits, '.', '_' and '-', and begin "
            "with a letter, a digit or '_'"
        ) from exc


def parse_level(text: str) -> str:
    """Read a log level, in either case."""
    level = text.upper()
    # Some letters outside ASCII become letters of ASCII when they are written large.
    if not text.isascii() or level not in _LEVELS:
        raise ValueError(f"{text!r} is not a log level; use one of {', '.join(_LEVELS).lower()}")
    return level


def parse_url(text: str) -> str:
    """Read the URL of a broker, a result store or a database."""
    example = "write it as in amqp://user:password@host:5672/vhost or redis://host:6379/0"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(f"its host or port cannot be read; {example}") from None
    if not parts.scheme or "://" not in text or any(c.isspace() for c in text):
        raise ValueError(f"it is not a URL; {example}")
    return text


def parse_alert_target(text: str) -> str:
    """Read the URL that alerts are sent to."""
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable():
        raise ValueError("it is not a http or https URL; write it as in https://host/path")
    if " " in text.strip():
        raise ValueError("there is a space in it; write it as %20")
    return text.strip()


def parse_depth(text: str) -> tuple[str | None, int]:
    """Read how many messages a queue may hold: ``N`` for any, ``QUEUE=N`` for one of a name."""
    queue, equals, number = text.strip().rpartition("=")
    if (
        not (number.isascii() and number.isdigit())
        or int(number) > DEPTH_MAX
        or (equals and not queue)
    ):
        raise ValueError(
            f"{text!r} is not a number of messages; write 10000, 0 for any number, or tasks=500 "
            "for the queues of one name"
        )
    return queue or None, int(number)


def parse_database(text: str) -> str:
    """Read the URL of a database."""
    kind = text.partition("://")[0] if "://" in text else ""
    if kind.partition("+")[0] not in {"sqlite", "postgres", "postgresql", "mysql", "mariadb"}:
        raise ValueError(
            "it is not the URL of a database; write it as sqlite:///absolute/path.sqlite, "
            "postgresql://user:password@host/name or mysql://user:password@host/name"
        )
    return parse_url(text)


def parse_host(text: str) -> str:
    """Read a host name or an IP address, without scheme and port."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    _check_host(host)
    return host.lower()


def parse_webhook_target(text: str) -> str:
    """Read what a webhook may reach besides public addresses."""
    target = text.strip()
    if target.lower() in _WEBHOOK_WORDS:
        return target.lower()
    try:
        return str(ipaddress.ip_network(target))
    except ValueError:
        if "/" in target or ":" in target:
            raise ValueError(
                f"{target!r} is not a network; write it as 10.0.0.0/8, a host name, "
                "or one of the words private, loopback, any"
            ) from None
    return parse_host(target)


def parse_peer(text: str) -> Address:
    """Read ``HOST`` or ``HOST:PORT`` of the cluster; without a port it is ``CLUSTER_PORT``."""
    bare = text.startswith("[") and text.endswith("]")
    whole = f"{text}:{CLUSTER_PORT}" if text and (bare or ":" not in text) else text
    try:
        return parse_address(whole)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address; write it as host, host:{CLUSTER_PORT}, "
            f"192.0.2.1:{CLUSTER_PORT} or [2001:db8::1]:{CLUSTER_PORT}"
        ) from None


def parse_label(text: str) -> tuple[str, str]:
    """Read a label, ``key=value``."""
    key, equals, value = text.strip().partition("=")
    if not equals or not _LABEL_PART.match(key) or not _LABEL_PART.match(value):
        raise ValueError(
            f"{text!r} is not a label; write it as zone=a, both parts of up to 63 letters, "
            "digits, '.', '_' and '-'"
        )
    return key, value


def parse_takeover(text: str) -> float | None:
    """Read a time in seconds, or ``off``."""
    if text.strip().lower() in _FALSE - {"0"}:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= DAY_S:
        raise ValueError(
            f"{text!r} is neither a number of seconds from 0 to {DAY_S:g} nor the word off"
        )
    return value


def parse_umask(text: str) -> int:
    """Read an octal file mode mask."""
    try:
        mask = int(text, 8)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:  # noqa: PLR2004 - the permission bits of a file mode
        raise ValueError(f"{text!r} is not a file mode mask; write it in octal, as in 027")
    return mask


def parse_user(text: str) -> int:
    """Read the name or the number of a user of this machine."""
    if text.isascii() and text.isdigit():
        return _account_number(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise ValueError(f"there is no user {text!r} on this machine") from None


def parse_group(text: str) -> int:
    """Read the name or the number of a group of this machine."""
    if text.isascii() and text.isdigit():
        return _account_number(text)
    try:
        return grp.getgrnam(text).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {text!r} on this machine") from None


def _account_number(text: str) -> int:
    if len(text) > _ACCOUNT_DIGITS_MAX or int(text) > _ACCOUNT_MAX:
        raise ValueError(f"{text!r} is no number of an account; these end at {_ACCOUNT_MAX}")
    return int(text)


def seconds(least: float, most: float) -> Kind:
    """Return the kind of a time in seconds, ``least`` to ``most``."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ValueError(
                f"{text!r} is not a number of seconds from {least:g} to {most:g}; "
                "write it without a unit"
            )
        return value

    return Kind("SECONDS", parse, file_types=(int, float))


def count(least: int, most: int) -> Kind:
    """Return the kind of a whole number, ``least`` to ``most``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return value

    return Kind("N", parse, file_types=(int,))


def parse_size(text: str) -> int:
    """Read a number of bytes, in thousands of 1024 where a letter follows."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a size; write it as 10M, 512K, 1G or a number of bytes")
    return int(found[1]) * _SIZE_UNITS[found[2].upper()]


def _check_host(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        if not all(_HOST_LABEL.match(label) for label in labels):
            raise ValueError(f"{host!r} is not a host name or an IP address") from None
        if labels[-1].isdigit():
            raise ValueError(f"{host!r} is not an IP address") from None


DAY_S = 86_400.0

ALERT_TARGETS = Kind("URL", parse_alert_target, is_list=True, is_secret=True)
ADDRESS = Kind("[ADDR]:PORT", parse_address, file_types=(str, int))
DEPTHS = Kind("[QUEUE=]N", parse_depth, is_list=True)
DATABASE = Kind("URL", parse_database, is_secret=True)
GROUP = Kind("GROUP", parse_group, file_types=(str, int))
HOSTS = Kind("HOST", parse_host, is_list=True)
HOST = Kind("HOST", parse_host)
LABELS = Kind("KEY=VALUE", parse_label, is_list=True)
LEVEL = Kind("LEVEL", parse_level)
NAME = Kind("NAME", parse_name)
PATH = Kind("PATH", parse_path)
PEER = Kind("ADDR[:PORT]", parse_peer)
PEERS = Kind("HOST[:PORT]", parse_peer, is_list=True)
SIZE = Kind("SIZE", parse_size, file_types=(str, int))
SWITCH = Kind("", parse_switch, file_types=(bool,))
TAKEOVER = Kind("SECONDS|off", parse_takeover, file_types=(str, int, float, bool))
UMASK = Kind("MASK", parse_umask)
URL = Kind("URL", parse_url, is_secret=True)
USER = Kind("USER", parse_user, file_types=(str, int))
WEBHOOK_TARGETS = Kind("TARGET", parse_webhook_target, is_list=True)
