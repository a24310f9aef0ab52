"""What of a fleet is secret: passwords in URLs, and variables whose names say so.

URLs are masked as a branch masks them in its replies, so that a masked reply can be compared with
what a file holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

MASK = "********"

_SECRET_IN_QUERY = re.compile(r"(?i)([^&=]*(?:pass|secret|token|key|sig)[^&=]*)=[^&]*")

#: The same in a connection string, which stands where other URLs have a host (Azure's storage).
_SECRET_IN_PLACE = re.compile(r"(?i)((?:^|;)[^;=]*(?:pass|secret|token|key|sig)[^;=]*)=[^;]*")

#: Words in the name of an environment variable that tell of a secret.
_SECRET_WORDS = ("pass", "secret", "token", "key", "credential", "dsn", "auth", "private", "sig")


def is_secret_name(name: str) -> bool:
    """Tell whether a variable of this name is likely to hold a secret."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def masked_url(url: str) -> str:
    """Return a URL with its password, and what looks like a secret in it, masked."""
    try:
        parts = urlsplit(url)
        login, at, host = parts.netloc.rpartition("@")
    except ValueError:
        return MASK
    user, colon, _ = login.partition(":")
    netloc = f"{user}{colon}{MASK if colon else ''}@{host}" if at else parts.netloc
    query, fragment = (
        _SECRET_IN_QUERY.sub(rf"\1={MASK}", part) for part in (parts.query, parts.fragment)
    )
    hidden = parts._replace(netloc=netloc, query=query, fragment=fragment)
    place = parts.netloc + parts.path
    if not at and (fit := _SECRET_IN_PLACE.sub(rf"\1={MASK}", place)) != place:
        hidden = hidden._replace(netloc=fit, path="")
    return url if hidden == parts else urlunsplit(hidden)


def password_in(url: str) -> str | None:
    """Return the password in a URL, unquoted; None if there is none."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return None if password is None else unquote(password)


def with_password(url: str, quoted: str) -> str:
    """Return a masked URL with a password in the place of the mask.

    Args:
        url: The URL.
        quoted: What stands there then, as it is.
    """
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user, _, _ = login.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}:{quoted}@{host}"))


def without_secrets(parameter: str, value: Any) -> Any:
    """Return a parameter's value with its secrets masked.

    Args:
        parameter: Its name.
        value: Its value, or a part of that.
    """
    match value:
        case Mapping():
            return {
                key: MASK
                if parameter == "env" and is_secret_name(key)
                else without_secrets(parameter, each)
                for key, each in value.items()
            }
        case list() | tuple():
            return [without_secrets(parameter, each) for each in value]
        case str() if "://" in value:
            return masked_text(value)
    return value


def masked_text(text: str) -> str:
    """Return options or settings with the passwords in their URLs masked."""
    return " ".join(_masked_word(word) for word in text.split(" "))


def _masked_word(word: str) -> str:
    if "://" not in word:
        return word
    name, equals, value = word.partition("=")
    if equals and "://" not in name:
        return f"{name}={masked_url(value)}"
    return masked_url(word)
