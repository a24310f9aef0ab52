"""Tokens that are kept in a test only."""

from __future__ import annotations

from cyme.core.access import Role, TokenInfo, TokenMade
from cyme.errors import Conflict, NotFound


class FakeTokenKeeping:
    """The ``TokenKeeping`` port: tokens in memory, which say by themselves whose they are.

    Attributes:
        kept: Every token by its name.
    """

    def __init__(self) -> None:
        self.kept: dict[str, TokenMade] = {}

    def list(self) -> list[TokenInfo]:
        """Return all tokens by name."""
        return [TokenInfo(each.name, each.role, 0.0) for _, each in sorted(self.kept.items())]

    def put(self, name: str, role: Role, secret: str | None) -> TokenMade:
        """Keep a token."""
        made = TokenMade(name=name, role=role, token=secret or f"secret of {name}")
        known = self.kept.get(name)
        if known is not None and (known != made or secret is None):
            raise Conflict(f"There is a token named {name!r} already.")
        self.kept[name] = made
        return (
            made
            if known is None
            else TokenMade(name=name, role=role, token=made.token, created=False)
        )

    def revoke(self, name: str) -> None:
        """Forget a token."""
        if self.kept.pop(name, None) is None:
            raise NotFound("token", name, "There are others.")
