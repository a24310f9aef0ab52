"""Who may do what: three roles, and the parameters that only an administrator may set."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from cyme.errors import Forbidden


class Role(IntEnum):
    """What a caller may do; each role includes those below it."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The role as people write it."""
        return self.name.lower()


#: Parameters that choose what code a worker runs.
CODE_CHOOSING = frozenset({"celery_app", "workdir", "python", "env"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        role: What the caller may do.
        name: The token's name, or ``local`` on an open loopback branch.
    """

    role: Role
    name: str


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What may be shown of a token.

    Attributes:
        name: What it is called on its branch.
        role: What its bearer may do.
        created_at: Seconds since 1970.
    """

    name: str
    role: Role
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenMade:
    """A token that was asked for.

    Attributes:
        name: What it is called on its branch.
        role: What its bearer may do.
        token: The token itself.
        created: Whether it was not known before.
    """

    name: str
    role: Role
    token: str = field(repr=False)
    created: bool = True


def require(caller: Caller, role: Role, deed: str) -> None:
    """Let the caller pass if it has the role.

    Args:
        caller: Who asks.
        role: The least role that may do the deed.
        deed: What is to be done, as it reads after 'to'.

    Raises:
        Forbidden: The caller's role is too low.
    """
    if caller.role < role:
        raise Forbidden(
            f"To {deed} takes the role {role.label}; {caller.name!r} has {caller.role.label}. "
            f"Use a token with the role {role.label} (cyme-branch token create)."
        )
