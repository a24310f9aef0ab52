"""Replies to writes that have nothing else to show."""

from __future__ import annotations

import msgspec


class Ok(msgspec.Struct, frozen=True):
    """It is done."""

    ok: str = "ok"


class Accepted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """It will be done."""

    name: str
    app: str
    instance: str | None = None
