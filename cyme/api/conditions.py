"""Conditional requests (RFC 9110, section 13) and preferences (RFC 7240).

The entity tag of a record is its version; that of an instance is ``epoch.version``. An app's
representation also lists its instances, so its tag ends with a digest of their names, which
``If-Match`` need not repeat: it is the record that must not have changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

import falcon

from cyme.core.model import App, Instance, Queue
from cyme.errors import InvalidRequest, NotFound, PreconditionFailed
from cyme.runtime.service import MUST_BE_NEW

AnyRecord = App | Queue | Instance

_WAIT_S_MAX = 600.0


def tag_of(record: AnyRecord, names: Sequence[str] = ()) -> str:
    """Return the entity tag of a record.

    Args:
        record: What the tag is of.
        names: What the representation lists besides.
    """
    tag = _version_tag(record)
    if names:
        tag += f"+{zlib.crc32(chr(10).join(names).encode()):08x}"
    return f'"{tag}"'


def expected_version(req: falcon.Request, find: Callable[[], AnyRecord]) -> int | None:
    """Return the version that a record must still have when it is written, None if any.

    ``MUST_BE_NEW`` is the version of what must not exist. Every condition is checked here, where a
    read is enough to refuse, and again by the service, where nothing can come in between.

    Args:
        req: The request, with ``If-Match`` or ``If-None-Match: *`` or neither.
        find: Returns the record as it is now, or raises ``NotFound``.

    Raises:
        PreconditionFailed: The condition does not hold now.
    """
    wanted = req.env.get("HTTP_IF_MATCH")
    must_be_new = req.env.get("HTTP_IF_NONE_MATCH", "").strip() == "*"
    if wanted is None and not must_be_new:
        return None
    try:
        record = find()
    except NotFound:
        if wanted is not None:
            raise PreconditionFailed("It does not exist, and If-Match asks that it does.") from None
        return MUST_BE_NEW
    if must_be_new:
        raise PreconditionFailed("It exists already, and If-None-Match: * asks that it does not.")
    tags = [tag.strip() for tag in str(wanted).split(",")]
    if tags == ["*"]:
        return None
    current = _version_tag(record)
    if not any(_bare(tag) == current for tag in tags):
        raise PreconditionFailed(
            f'It has changed meanwhile: its ETag is now "{current}". Read it again, then repeat.'
        )
    return record.version


def is_unchanged(req: falcon.Request, tag: str) -> bool:
    """Tell whether the client has what the tag stands for already."""
    known = req.env.get("HTTP_IF_NONE_MATCH")
    if known is None:
        return False
    return known.strip() == "*" or tag in {
        candidate.strip().removeprefix("W/") for candidate in known.split(",")
    }


def prefers_async(req: falcon.Request) -> bool:
    """Tell whether the client wishes an answer before the work is done."""
    return "respond-async" in _preferences(req)


def preferred_wait_s(req: falcon.Request) -> float | None:
    """Return how long the client is willing to wait for the work, in seconds; None: not at all.

    Raises:
        InvalidRequest: It is no number of seconds from 0 to 600.
    """
    for preference in _preferences(req):
        name, equals, value = preference.partition("=")
        if equals and name.strip() == "wait":
            value = value.strip()
            if not (value.isascii() and value.isdigit() and len(value) <= 3):  # noqa: PLR2004
                raise InvalidRequest.of("Prefer", f"wait= takes whole seconds to {_WAIT_S_MAX:g}")
            return min(float(value), _WAIT_S_MAX)
    return None


def _preferences(req: falcon.Request) -> list[str]:
    header: str | None = req.env.get("HTTP_PREFER")
    if header is None:
        return []
    return [part.strip().lower() for part in header.replace(";", ",").split(",")]


def _version_tag(record: AnyRecord) -> str:
    if isinstance(record, Instance):
        return f"{record.epoch}.{record.version}"
    return str(record.version)


def _bare(tag: str) -> str:
    """Return a strong tag without its quotes and its digest of names; nothing for a weak one."""
    if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"':  # noqa: PLR2004 - a pair of quotes
        return ""
    return tag[1:-1].partition("+")[0]
