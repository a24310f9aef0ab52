"""Use cases of tokens: who may show which, of any branch, over any branch.

Every branch keeps its own, in its directory. A token itself goes to whoever made it, once, and is
neither told of in events nor logged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import gevent

from cyme.core.access import Caller, Role, TokenInfo, TokenMade, require
from cyme.core.model import BranchId
from cyme.core.ports import TokenKeeping
from cyme.errors import Conflict, NotSupported
from cyme.runtime.service.cluster import Cluster
from cyme.runtime.service.remote import remote

T = TypeVar("T")

_DEED = "manage tokens"


class AccessTokens(Cluster):
    """The tokens of the branches."""

    def tokens(self, branch: str, *, caller: Caller, timeout_s: float) -> tuple[TokenInfo, ...]:
        """Return the tokens of a branch, without what they are.

        Raises:
            Forbidden: The caller is no administrator.
            NotFound: There is no such branch.
            OwnerUnreachable: It cannot be asked.
        """
        require(caller, Role.ADMIN, _DEED)
        return self._at(
            self.branch(branch).id, self.tokens_here, caller=caller, timeout_s=timeout_s
        )

    @remote(writes=False)
    def tokens_here(
        self,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> tuple[TokenInfo, ...]:
        """Return the tokens of this branch."""
        require(caller, Role.ADMIN, _DEED)
        return tuple(_aside(self._kept_tokens().list))

    def put_token(
        self,
        branch: str,
        name: str,
        role: Role,
        *,
        secret: str | None = None,
        caller: Caller,
        timeout_s: float,
    ) -> TokenMade:
        """Make a token of a branch.

        Args:
            branch: The branch that will know it.
            name: What it is called there.
            role: What its bearer may do; no more than the caller may.
            secret: The token itself, if another branch has made it already; None has it made.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Raises:
            Forbidden: The caller may not do this.
            NotFound: There is no such branch.
            InvalidRequest: The name can be none, or the secret is not one of a token of that role.
            Conflict: There is another token of that name.
            OwnerUnreachable: The branch cannot be asked.
        """
        require(caller, Role.ADMIN, _DEED)
        return self._at(
            self.branch(branch).id,
            self.put_token_here,
            name=name,
            role=role,
            secret=secret,
            caller=caller,
            timeout_s=timeout_s,
        )

    @remote(writes=True)
    def put_token_here(
        self,
        name: str,
        role: Role,
        *,
        secret: str | None = None,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> TokenMade:
        """Make a token of this branch; arguments as for ``put_token``."""
        require(caller, Role.ADMIN, _DEED)
        require(caller, role, f"make a token with the role {role.label}")
        kept = self._kept_tokens()
        made = _aside(lambda: kept.put(name, role, secret))
        if made.created:
            self._journal.record(
                "token.created",
                f"token {name!r} with the role {role.label} made by {caller.name}",
                name=name,
                role=role.label,
                by=caller.name,
            )
        return made

    def revoke_token(
        self, branch: str, name: str, *, force: bool = False, caller: Caller, timeout_s: float
    ) -> None:
        """Make a token of a branch worthless.

        Args:
            branch: The branch that knows it.
            name: What it is called there.
            force: Whether it may be the one that the caller shows.
            caller: Who asks.
            timeout_s: How long it may take, in seconds.

        Raises:
            Forbidden: The caller is no administrator.
            NotFound: There is no such branch, or no such token.
            Conflict: It is the one that the caller shows.
            OwnerUnreachable: The branch cannot be asked.
        """
        require(caller, Role.ADMIN, _DEED)
        target: BranchId = self.branch(branch).id
        if name == caller.name and target == self.branch_id and not force:
            raise Conflict(
                f"{name!r} is the token that this request was made with. Use another one to "
                "revoke it, or say force=true."
            )
        self._at(target, self.revoke_token_here, name=name, caller=caller, timeout_s=timeout_s)

    @remote(writes=True)
    def revoke_token_here(
        self,
        name: str,
        *,
        caller: Caller,
        timeout_s: float,  # noqa: ARG002 - every call that may be forwarded has one
    ) -> None:
        """Make a token of this branch worthless."""
        require(caller, Role.ADMIN, _DEED)
        kept = self._kept_tokens()
        _aside(lambda: kept.revoke(name))
        self._journal.record(
            "token.revoked",
            f"token {name!r} revoked by {caller.name}",
            name=name,
            by=caller.name,
        )

    def _kept_tokens(self) -> TokenKeeping:
        if self._tokens is None:
            raise NotSupported(f"Branch {self.branch_id!r} keeps no tokens.")
        return self._tokens


def _aside(work: Callable[[], T]) -> T:
    """Do work in a native thread, as a disk may keep it waiting."""
    result: T = gevent.get_hub().threadpool.apply(work)
    return result
