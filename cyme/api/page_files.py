"""The files of the page, read once from the package ``cyme.admin``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

INDEX = "index.html"

#: Only what has a type here is served.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_DEPTH_MAX = 4


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page.

    Attributes:
        media_type: Its type, for ``Content-Type``.
        content: Its bytes.
        tag: Its entity tag, quoted.
    """

    media_type: str
    content: bytes
    tag: str


def page_files() -> Mapping[str, PageFile]:
    """Return the page's files by their path below ``/admin/static/``.

    A path that a client names is only ever looked up here, so it can reach nothing else.
    """
    return dict(_found(resources.files("cyme.admin"), "", 0))


def _found(room: Traversable, prefix: str, depth: int) -> list[tuple[str, PageFile]]:
    found = []
    for entry in sorted(room.iterdir(), key=lambda each: each.name):
        path = prefix + entry.name
        if entry.is_dir():
            if depth < _DEPTH_MAX:
                found += _found(entry, f"{path}/", depth + 1)
            continue
        media_type = _TYPES.get("." + entry.name.rpartition(".")[2])
        if media_type is not None:
            content = entry.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found.append((path, PageFile(media_type, content, tag)))
    return found
