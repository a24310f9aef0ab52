"""Tokens of any branch, over any branch."""

from __future__ import annotations

import pytest

from cyme.core.access import Caller, Role
from cyme.errors import Conflict, Forbidden, NotFound, NotSupported, OwnerUnreachable
from tests.runtime.service.house import ADMIN, OPERATOR, House
from tests.runtime.service.town import TIMEOUT_S, Town


def make(
    house: House, branch: str, caller: Caller = ADMIN, role: Role = Role.OPERATOR,
    secret: str | None = None,
) -> str:  # fmt: skip
    return house.service.put_token(
        branch, "ci", role, secret=secret, caller=caller, timeout_s=TIMEOUT_S
    ).token


@pytest.mark.parametrize("branch", ["b1", "b2"])
def test_tokens_are_made_listed_and_revoked_on_the_branch_that_knows_them(
    town: Town, branch: str
) -> None:
    service = town["b1"].service
    secret = make(town["b1"], branch)
    assert [each.kept_tokens.list() != [] for each in (town["b1"], town["b2"])] == [
        branch == "b1",
        branch == "b2",
    ]
    (told,) = service.tokens(branch, caller=ADMIN, timeout_s=TIMEOUT_S)
    assert (told.name, told.role) == ("ci", Role.OPERATOR)
    service.revoke_token(branch, "ci", caller=ADMIN, timeout_s=TIMEOUT_S)
    assert service.tokens(branch, caller=ADMIN, timeout_s=TIMEOUT_S) == ()
    created, revoked = town[branch].journal.recent(2)
    assert (created.kind, revoked.kind) == ("token.created", "token.revoked")
    assert created.data == {"name": "ci", "role": "operator", "by": "anna"}
    assert revoked.data == {"name": "ci", "by": "anna"}
    assert secret not in repr((created, revoked))


def test_one_token_can_be_known_to_every_branch(town: Town) -> None:
    secret = make(town["b1"], "b1")
    for _ in range(2):
        assert make(town["b1"], "b2", secret=secret) == secret
    assert [event.kind for event in town["b2"].journal.recent(9)] == ["token.created"]


def test_only_administrators_manage_tokens_also_where_they_are_kept(town: Town) -> None:
    service = town["b1"].service
    for act in (
        lambda: service.tokens("b1", caller=OPERATOR, timeout_s=TIMEOUT_S),
        lambda: make(town["b1"], "b1", caller=OPERATOR, role=Role.VIEWER),
        lambda: service.revoke_token("b1", "ci", caller=OPERATOR, timeout_s=TIMEOUT_S),
        lambda: service.tokens_here(caller=OPERATOR, timeout_s=TIMEOUT_S),
        lambda: service.put_token_here("ci", Role.VIEWER, caller=OPERATOR, timeout_s=TIMEOUT_S),
        lambda: service.revoke_token_here("ci", caller=OPERATOR, timeout_s=TIMEOUT_S),
    ):
        with pytest.raises(Forbidden):
            act()
    assert not town["b1"].kept_tokens.kept


def test_nobody_revokes_the_token_that_he_shows_by_mistake(town: Town) -> None:
    service = town["b1"].service
    caller = Caller(Role.ADMIN, "ci")
    make(town["b1"], "b1", role=Role.ADMIN)
    make(town["b1"], "b2", role=Role.ADMIN)
    with pytest.raises(Conflict, match="force=true"):
        service.revoke_token("b1", "ci", caller=caller, timeout_s=TIMEOUT_S)
    service.revoke_token("b2", "ci", caller=caller, timeout_s=TIMEOUT_S)  # that is another one
    service.revoke_token("b1", "ci", force=True, caller=caller, timeout_s=TIMEOUT_S)
    assert not town["b1"].kept_tokens.kept


def test_what_cannot_be_done_is_said(town: Town) -> None:
    service = town["b1"].service
    with pytest.raises(NotFound):
        make(town["b1"], "b9")
    with pytest.raises(NotFound):
        service.revoke_token("b2", "ci", caller=ADMIN, timeout_s=TIMEOUT_S)
    town.cut.add("b2")
    with pytest.raises(OwnerUnreachable):
        make(town["b1"], "b2")
    service._tokens = None
    with pytest.raises(NotSupported):
        make(town["b1"], "b1")
