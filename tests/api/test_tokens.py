"""The tokens of a branch over HTTP."""

from __future__ import annotations

import json

import pytest

from tests.api.branch import ADMIN, OPERATOR, VIEWER, FakeBranch

TOKENS = "/branches/branch1/tokens/"


def test_an_administrator_makes_lists_and_revokes_tokens(branch: FakeBranch) -> None:
    client = branch.client
    made = client.simulate_put(f"{TOKENS}ci/", params={"role": "operator"}, headers=ADMIN)
    assert made.status_code == 201
    assert made.json == {"name": "ci", "role": "operator", "token": "secret of ci"}
    assert made.headers["location"] == f"{TOKENS}ci/"
    assert client.simulate_put(f"{TOKENS}tv/", headers=ADMIN).json["role"] == "viewer"
    listed = client.simulate_get(TOKENS, headers=ADMIN).json
    assert listed == [
        {"name": "ci", "role": "operator", "created_at": "1970-01-01T00:00:00Z"},
        {"name": "tv", "role": "viewer", "created_at": "1970-01-01T00:00:00Z"},
    ]
    assert client.simulate_delete(f"{TOKENS}tv/", headers=ADMIN).status_code == 200
    assert client.simulate_delete(f"{TOKENS}tv/", headers=ADMIN).status_code == 404


def test_a_token_that_was_made_elsewhere_stands_in_the_body(branch: FakeBranch) -> None:
    client = branch.client
    body = json.dumps({"role": "admin", "secret": "a secret"}).encode()
    path = f"{TOKENS}ci/"
    for status in (201, 200):
        told = client.simulate_post(path, body=body, headers=ADMIN)
        assert told.status_code == status
        assert told.json["token"] == "a secret"
    refused = client.simulate_put(path, params={"secret": "a secret"}, headers=ADMIN)
    assert refused.status_code == 400
    assert "must stand in the body" in refused.json["detail"]
    assert client.simulate_put(path, headers=ADMIN).status_code == 409


@pytest.mark.parametrize("headers", [VIEWER, OPERATOR, None])
def test_nobody_else_does(branch: FakeBranch, headers: dict[str, str] | None) -> None:
    client = branch.client
    assert client.simulate_get(TOKENS, headers=headers).status_code == 403
    assert client.simulate_put(f"{TOKENS}ci/", headers=headers).status_code == 403
    assert client.simulate_delete(f"{TOKENS}ci/", headers=headers).status_code == 403


def test_the_token_that_a_request_shows_is_revoked_by_force_alone(branch: FakeBranch) -> None:
    client = branch.client
    client.simulate_put(f"{TOKENS}anna/", headers=ADMIN)
    assert client.simulate_delete(f"{TOKENS}anna/", headers=ADMIN).status_code == 409
    forced = client.simulate_delete(f"{TOKENS}anna/", params={"force": "1"}, headers=ADMIN)
    assert forced.status_code == 200


def test_wrong_requests_are_told_what_is_wrong(branch: FakeBranch) -> None:
    client = branch.client
    for params in ({"role": "king"}, {"rolle": "viewer"}):
        assert client.simulate_put(f"{TOKENS}x/", params=params, headers=ADMIN).status_code == 400
    assert client.simulate_get("/branches/other/tokens/", headers=ADMIN).status_code == 404
