"""Routes of tokens: of any branch, on any branch, for administrators."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

import falcon
import msgspec

from cyme.api.inputs import DeletionParameters, TokenParameters
from cyme.api.operations import CALL_TIMEOUT_S, Request, operation
from cyme.api.replies import answer, path_of
from cyme.api.representations.deeds import Ok
from cyme.core.access import Role
from cyme.errors import Fault, InvalidRequest
from cyme.runtime.service import Service


class TokenReply(msgspec.Struct, frozen=True):
    """What may be shown of a token."""

    name: str
    role: str
    created_at: datetime


class NewTokenReply(msgspec.Struct, frozen=True):
    """A token; this is the only time that it is shown."""

    name: str
    role: str
    token: str


class BranchTokens:
    """The tokens that a branch knows."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation("List the tokens of a branch", role=Role.ADMIN, gives=list[TokenReply])
    def on_get_collection(self, req: Request, resp: falcon.Response, branch: str) -> None:
        """List names and roles; the tokens themselves are not kept."""
        tokens = self._service.tokens(branch, caller=req.caller, timeout_s=CALL_TIMEOUT_S)
        answer(
            resp,
            [
                TokenReply(each.name, each.role.label, datetime.fromtimestamp(each.created_at, UTC))
                for each in tokens
            ],
        )

    @operation(
        "Make a token of a branch",
        role=Role.ADMIN,
        takes=TokenParameters,
        gives=NewTokenReply,
        statuses=(200, 201),
    )
    def on_put(self, req: Request, resp: falcon.Response, branch: str, name: str) -> None:
        """Make a token, or have the branch know one that another branch has made."""
        if "secret" in parse_qs(req.query_string, keep_blank_values=True):
            detail = "must stand in the body: what is in a URL ends up in the logs of others"
            raise InvalidRequest(f"secret: {detail}", [Fault("secret", detail)])
        made = self._service.put_token(
            branch,
            name,
            Role[req.given.get("role", Role.VIEWER.label).upper()],
            secret=req.given.get("secret"),
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        answer(
            resp,
            NewTokenReply(made.name, made.role.label, made.token),
            status=201 if made.created else 200,
            location=path_of("branches", branch, "tokens", name) if made.created else None,
        )

    @operation("Revoke a token of a branch", role=Role.ADMIN, takes=DeletionParameters, gives=Ok)
    def on_delete(self, req: Request, resp: falcon.Response, branch: str, name: str) -> None:
        """Revoke a token; the one that the request shows only with ``force``."""
        self._service.revoke_token(
            branch,
            name,
            force=req.given.get("force", False),
            caller=req.caller,
            timeout_s=CALL_TIMEOUT_S,
        )
        answer(resp, Ok())

    on_head_collection = on_get_collection
    on_post = on_put
